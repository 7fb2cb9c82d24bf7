"""Image files of every kind that users have, all of the same upright picture."""

import io

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 96, 64
_ORIENTATION = 0x0112
# What an upright picture is stored as, so that a viewer who follows the tag sees it upright.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def upright():
    """The (h, w, 3) RGB picture: smooth, of full contrast, different when turned or mirrored."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / [[[HEIGHT]], [[WIDTH]]]
    spot = np.exp(-((x - 0.2) ** 2 + (y - 0.3) ** 2) / 0.03)
    channels = [255 * spot, 200 * x, 255 * y * (1 - spot)]
    return np.stack(channels, axis=2).clip(0, 255).astype(np.uint8)


def _rgb():
    return Image.fromarray(upright())


def _grey():
    return np.asarray(_rgb().convert("L"))


def _saved(image, pages=False, **options):
    stream = io.BytesIO()
    if pages:
        options |= {"save_all": True, "append_images": [Image.new("RGB", (WIDTH, HEIGHT))]}
    # Saving leaves settings in an image, which would spoil its next file.
    image.copy().save(stream, **options)
    return stream.getvalue()


def _written(suffix, pixels):
    return cv2.imencode(suffix, pixels)[1].tobytes()


def _turned(image, orientation, **options):
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    if options["format"] == "TIFF":
        options["tiffinfo"] = {_ORIENTATION: orientation}
    else:
        options["exif"] = exif.tobytes()
    return _saved(image.transpose(STORED[orientation]), **options)


def exif_behind_the_pixels():
    """A PNG whose EXIF chunk stands after its pixels."""
    content = _turned(_rgb(), 6, format="PNG")
    begin = content.index(b"eXIf") - 4
    length = int.from_bytes(content[begin : begin + 4], "big") + 12
    chunk = content[begin : begin + length]
    without = content.replace(chunk, b"")
    end = without.index(b"IEND") - 4
    return without[:end] + chunk + without[end:]


def _with_alpha():
    pixels = np.dstack([upright(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    pixels[:, : WIDTH // 2, 3] = 0
    return Image.fromarray(pixels)


def _deep_kinds():
    grey, bgr = _grey(), upright()[..., ::-1]
    deep = grey.astype(np.uint16)
    kinds = {
        "12_bits.png": _saved(Image.fromarray(deep * 16), format="PNG"),
        "16_bits.png": _saved(Image.fromarray(deep * 257), format="PNG"),
        "8_of_16_bits.png": _saved(Image.fromarray(deep), format="PNG"),
        "12_bits.tif": _saved(Image.fromarray(deep * 16), format="TIFF"),
        "12_bits_zstd.tif": _saved(Image.fromarray(deep * 16), format="TIFF", compression="zstd"),
        "12_bits_jp2.jpg": _written(".jp2", deep * 16),
        "12_bits_colour.png": _written(".png", bgr.astype(np.uint16) * 16),
        "12_bits_colour.tif": _written(".tif", bgr.astype(np.uint16) * 16),
        "12_bits_alpha.png": _written(
            ".png", np.dstack([bgr, grey]).astype(np.uint16) * np.array([16, 16, 16, 257], "u2")
        ),
        "int32.tif": _saved(Image.fromarray(grey.astype(np.int32) * 1000), format="TIFF"),
        "float.tif": _saved(Image.fromarray(grey.astype(np.float32) / 255), format="TIFF"),
        "double.tif": _written(".tif", grey.astype(np.float64) - 50),
        "float_colour.tif": _written(".tif", bgr.astype(np.float32) / 255),
    }
    for turn in STORED:
        image = Image.fromarray(deep * 16)
        kinds[f"12_bits_turned{turn}.tif"] = _turned(image, turn, format="TIFF")
    return kinds | {"12_bits_turned6.png": _turned(Image.fromarray(deep * 16), 6, format="PNG")}


def _turned_kinds():
    kinds = {"turned_late.png": exif_behind_the_pixels()}
    for turn in STORED:
        for suffix, kind in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF")):
            options = {"lossless": True} if kind == "WEBP" else {}
            options |= {"quality": 95} if kind == "JPEG" else {}
            kinds[f"turned{turn}.{suffix}"] = _turned(_rgb(), turn, format=kind, **options)
        kinds[f"turned{turn}_avif.jpg"] = _turned(_rgb(), turn, format="AVIF", quality=95)
        for mode in ("L", "CMYK", "P"):
            image = _rgb().quantize(200) if mode == "P" else _rgb().convert(mode)
            kinds[f"turned{turn}_{mode}.tif"] = _turned(image, turn, format="TIFF")
    return kinds


def _plain_kinds():
    rgb = _rgb()
    kinds = {
        "colour.jpg": _saved(rgb, format="JPEG", quality=95),
        "progressive.jpg": _saved(rgb, format="JPEG", quality=95, progressive=True),
        "grey.jpg": _saved(rgb.convert("L"), format="JPEG", quality=95),
        "cmyk.jpg": _saved(rgb.convert("CMYK"), format="JPEG", quality=95),
        "several.jpg": _saved(rgb, format="MPO", quality=95, pages=True),
        "colour.png": _saved(rgb, format="PNG"),
        "grey.png": _saved(rgb.convert("L"), format="PNG"),
        "grey_alpha.png": _saved(rgb.convert("LA"), format="PNG"),
        "palette.png": _saved(rgb.quantize(200), format="PNG"),
        "animated.png": _saved(rgb, format="PNG", pages=True),
        "colour.bmp": _saved(rgb, format="BMP"),
        "palette.bmp": _saved(rgb.quantize(200), format="BMP"),
        "colour.webp": _saved(rgb, format="WEBP", lossless=True),
        "animated.webp": _saved(rgb, format="WEBP", lossless=True, pages=True),
        "pages.tif": _saved(rgb, format="TIFF", pages=True),
        "lab.tif": _saved(rgb.convert("LAB"), format="TIFF"),
        "cmyk.tif": _saved(rgb.convert("CMYK"), format="TIFF"),
        "gif.jpg": _saved(rgb.quantize(200), format="GIF"),
        "png.jpg": _saved(rgb, format="PNG"),
        "jpeg2000.jpg": _saved(rgb, format="JPEG2000"),
    }
    for kind in ("PNG", "TIFF", "WEBP"):
        exact = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        kinds[f"alpha.{kind[:4].lower()}"] = _saved(_with_alpha(), format=kind, **exact)
    for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "zstd", "lzma"):
        options = {"quality": 95} if name == "jpeg" else {}
        kinds[f"{name}.tif"] = _saved(rgb, format="TIFF", compression=name, **options)
    return kinds


def readable_kinds():
    """The content of each readable file by its name."""
    return _plain_kinds() | _turned_kinds() | _deep_kinds()


def unreadable_kinds():
    """The content of each file by its name that is no image of the project's formats."""
    kinds = {
        f"{kind.lower()}{suffix}": _saved(_rgb(), format=kind)
        for kind, suffix in (
            ("EPS", ".png"),
            ("PDF", ".jpg"),
            ("TGA", ".bmp"),
            ("ICO", ".png"),
            ("PPM", ".png"),
        )
    }
    for name in ("colour.jpg", "colour.png", "tiff_lzw.tif", "12_bits.tif", "double.tif"):
        content = readable_kinds()[name]
        kinds[f"cut_{name}"] = content[: len(content) * 3 // 5]
    return kinds | {"empty.png": b"", "text.jpg": b"no image"}

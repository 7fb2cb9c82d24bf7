"""The review loop: images in doubt go to a person, and the corrections come back as gold."""

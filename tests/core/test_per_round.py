from pseudolabel.core.per_round import round_seed


def test_round_0_has_the_seed_itself_and_each_later_round_another_one():
    seeds = [round_seed(7, number) for number in range(10)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 10
    assert seeds == [round_seed(7, number) for number in range(10)]
    assert not set(seeds) & {round_seed(8, number) for number in range(10)}
    # torch and numpy take seeds of 32 bits.
    assert all(0 <= seed < 2**32 for seed in seeds)

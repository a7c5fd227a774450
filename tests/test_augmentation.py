"""What a network sees of a batch: never upside down, never another hue, and drawn from the CPU alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from sleevenotes.learn import augmentation
from sleevenotes.learn.augmentation import as_seen, augment, erased, jittered, mixed, moved
from sleevenotes.learn.training import TrainingSettings
from training_for_tests import tiny_network

MEAN, DEVIATION = torch.full((1, 3, 1, 1), 127.5), torch.full((1, 3, 1, 1), 63.75)  # those of the tiny network
ALL = TrainingSettings(crop=0.4, color=0.8, erasing=0.5, mixup=0.4, cutmix=1.0)


def noise(count: int = 8, size: int = 16) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def seeded(change: Callable[[], Tensor], seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return change()


def test_augmentation_keeps_shape_and_never_turns_a_cover_upside_down():
    sky = torch.full((200, 3, 32, 32), -1.0)
    sky[:, :, :16] = 1.0  # bright above, dark below
    for change in (augment, lambda covers: moved(covers, crop=0.6)):
        changed = seeded(lambda change=change: change(sky))
        assert changed.shape == sky.shape
        assert torch.isfinite(changed).all()
        above, below = changed[:, :, :8].mean(dim=(1, 2, 3)), changed[:, :, 24:].mean(dim=(1, 2, 3))
        assert (above >= below).all()
    assert (above > below + 0.5).float().mean() > 0.9


def test_augmentation_mirrors_left_to_right_about_every_other_cover():
    lit = torch.full((400, 3, 16, 16), -1.0)
    lit[:, :, :, :8] = 1.0  # bright on the left
    for change in (augment, lambda covers: moved(covers, crop=0.8)):
        changed = seeded(lambda change=change: change(lit))
        mirrored = changed[..., 12:].mean(dim=(1, 2, 3)) > changed[..., :4].mean(dim=(1, 2, 3))
        assert 150 < int(mirrored.sum()) < 250


def test_augmentation_changes_colours_mildly_and_differently_each_time():
    grey = torch.zeros(300, 3, 8, 8)
    changed = seeded(lambda: augment(grey))
    assert changed.abs().max() <= augmentation.BRIGHTNESS + augmentation.TINT + 1e-5
    assert changed.std(dim=(2, 3)).max() < 1e-5  # a plain cover stays plain
    assert len(torch.unique(changed[:, 0, 0, 0])) == 300
    assert torch.equal(seeded(lambda: augment(grey)), changed)


@given(st.floats(0.1, 0.95), st.integers(0, 99))
def test_a_crop_shows_at_least_its_share_of_the_cover_and_nothing_beyond_the_edge(crop: float, seed: int):
    down, across = torch.meshgrid(torch.linspace(-1, 1, 33), torch.linspace(-1, 1, 33), indexing="ij")
    places = torch.stack([down, across, across])[None].expand(20, 3, 33, 33)
    seen = seeded(lambda: moved(places, crop=crop), seed)
    high = seen[:, 0].amax(dim=(1, 2)) - seen[:, 0].amin(dim=(1, 2))
    wide = seen[:, 1].amax(dim=(1, 2)) - seen[:, 1].amin(dim=(1, 2))
    step = 1 - 1 / 33  # the outermost places are the middles of pixels
    assert (high * wide / 4 >= crop * step**2 * 0.85 - 0.01).all()  # a frame wider than the cover is cut
    assert seen.abs().max() <= 1 + 1e-5
    assert (high > wide + 1e-3).any()
    assert (wide > high + 1e-3).any()


def test_jitter_keeps_grey_covers_grey_and_takes_all_colour_from_some():
    grey = noise(40)[:, :1].expand(40, 3, 16, 16)
    changed = seeded(lambda: jittered(grey, MEAN, DEVIATION, strength=1.0))
    assert torch.allclose(changed[:, 0], changed[:, 2], atol=1e-4)
    covers = 0.3 * noise(400, 4)
    changed = seeded(lambda: jittered(covers, MEAN, DEVIATION, strength=1.0))
    colorless = ((changed[:, 0] - changed[:, 1]).abs().amax(dim=(1, 2)) < 1e-4).float().mean()
    assert 0.12 < float(colorless) < 0.3
    assert torch.allclose(seeded(lambda: jittered(covers, MEAN, DEVIATION, strength=1e-6)), covers, atol=1e-3)


def test_jitter_never_changes_which_channel_is_the_strongest():
    covers = torch.tensor([0.5, 0.1, -0.3]).view(1, 3, 1, 1).expand(200, 3, 4, 4)
    changed = seeded(lambda: jittered(covers, MEAN, DEVIATION, strength=1.0))
    assert (changed[:, 0] >= changed[:, 1] - 1e-4).all()
    assert (changed[:, 1] >= changed[:, 2] - 1e-4).all()


def test_a_share_of_covers_has_a_rectangle_painted_over_with_one_colour():
    covers = noise(400, 24)
    changed = seeded(lambda: erased(covers, share=0.25))
    differs = (changed != covers).any(dim=1)  # (B, S, S)
    areas = differs.float().mean(dim=(1, 2))
    assert 0.18 < float((areas > 0).float().mean()) < 0.32
    assert float(areas.max()) < augmentation.ERASED_AREA[1] + 0.05
    for cover, place in zip(changed[areas > 0], differs[areas > 0], strict=True):
        down, across = place.any(dim=1), place.any(dim=0)
        assert torch.equal(place, down[:, None] & across[None])  # a rectangle
        assert len(torch.unique(cover[:, place], dim=1).T) == 1
    assert torch.equal(seeded(lambda: erased(covers, share=0.0)), covers)


def test_mixup_blends_each_cover_with_its_partner_by_its_share():
    covers = noise()
    torch.manual_seed(0)
    changed, mix = mixed(covers, mixup=0.5, cutmix=0.0)
    share = mix.share.view(-1, 1, 1, 1)
    assert torch.allclose(changed, share * covers + (1 - share) * covers[mix.partner])
    assert sorted(mix.partner.tolist()) == list(range(8))
    assert ((mix.share >= 0) & (mix.share <= 1)).all()


def test_cutmix_pastes_a_rectangle_and_its_share_is_what_is_left():
    covers = noise(60)
    torch.manual_seed(0)
    changed, mix = mixed(covers, mixup=0.0, cutmix=1.0)
    own = (changed == covers).all(dim=1)
    pasted = (changed == covers[mix.partner]).all(dim=1)
    others = mix.partner != torch.arange(60)
    assert (own | pasted).all()
    assert torch.allclose(own[others].float().mean(dim=(1, 2)), mix.share[others])
    assert len(torch.unique(mix.share)) > 20


def test_where_both_are_asked_for_each_batch_is_blended_or_pasted():
    covers, pasted = noise(), []
    for seed in range(40):
        torch.manual_seed(seed)
        changed, mix = mixed(covers, mixup=1.0, cutmix=1.0)
        pasted.append(bool(((changed == covers) | (changed == covers[mix.partner])).all()))
    assert 8 < sum(pasted) < 32


def test_what_is_off_draws_nothing_and_changes_nothing():
    covers, network = noise(), tiny_network()
    torch.manual_seed(0)
    seen, mix = as_seen(covers, network, TrainingSettings(augmented=False))
    state = torch.get_rng_state()
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)
    assert seen is covers
    assert mix is None
    seen, _ = as_seen(covers, network, TrainingSettings())
    assert torch.equal(seen, seeded(lambda: augment(covers)))


@pytest.mark.parametrize("name", ["crop", "color", "erasing", "mixup", "cutmix"])
def test_each_setting_changes_what_is_seen_and_the_same_seed_shows_the_same(name: str):
    covers, network = noise(), tiny_network()
    settings = TrainingSettings(augmented=False, **{name: getattr(ALL, name)})
    first, second, other = (seeded(lambda: as_seen(covers, network, settings)[0], seed) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, covers)
    assert not torch.equal(first, other)


def test_all_of_it_at_once_keeps_shape_and_numbers():
    seen, mix = as_seen(noise(), tiny_network(), replace(ALL, augmented=True))
    assert seen.shape == (8, 3, 16, 16)
    assert torch.isfinite(seen).all()
    assert mix is not None

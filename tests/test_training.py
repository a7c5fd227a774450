"""Training from scratch: what it ends with, however often it was stopped on the way."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from sleevenotes.covers.pixels import PixelRows
from sleevenotes.learn import augmentation, recipes, training
from sleevenotes.learn.augmentation import augment
from sleevenotes.learn.calibration import log_loss, proba_of
from sleevenotes.learn.model import CHECKPOINT_NAME, Model
from sleevenotes.learn.networks import small_network, study_cnn
from sleevenotes.learn.precision import computing, cpu_has_bfloat16, memory_kept, precision_used
from sleevenotes.learn.training import Epoch, Side, Trained, TrainingSettings, held, logits_of, train_network
from training_for_tests import BRIEF, EPOCHS, history_of, tiny_network

PLAIN = replace(
    BRIEF, rate=0.01, warm_up=0, decay=0.0, dropout=0.0, optimizer="sgd", schedule="constant", augmented=False
)
ADAM = replace(PLAIN, rate=1e-2, optimizer="adam", balance="draws")
HUES = np.array([(190, 150, 60), (60, 90, 180), (60, 50, 55)])


class Killed(BaseException):
    """The end of a process, as far as one can have it without ending."""


def side(n: int, *, task: str = "single", seed: int = 0) -> Side:
    """Covers whose hue is their genre's."""
    rng = np.random.default_rng(seed)
    genre = np.arange(n) % 3
    if task == "binary":
        genre = genre % 2
    noisy = HUES[genre][:, None, None] + rng.normal(0, 40, (n, 32, 32, 3)) + rng.normal(0, 25, (n, 1, 1, 3))
    truth = np.stack([genre == 0, genre != 2, genre == 2], axis=1).astype(np.int64) if task == "multi" else genre
    return Side(noisy.clip(0, 255).astype(np.uint8), truth)


def contrary() -> Side:
    """Covers of which nothing is true that train teaches."""
    told = side(24, seed=1)
    return Side(told.covers, (told.truth + 1) % 3)


def trained(folder: Path, *, task: str = "single", seed: int = 0, n: int = 48, **more: Any) -> Trained:
    torch.manual_seed(seed)
    sides = more.pop("sides", (side(n, task=task), side(24, task=task, seed=1)))
    settings = more.pop("settings", BRIEF)
    genres = 2 if task == "binary" else 3
    return train_network(
        tiny_network(), sides, task=task, genres=genres, settings=settings, seed=seed, folder=folder, **more
    )


def killed_after(epoch: int) -> Callable[[Epoch, int], None]:
    def report(done: Epoch, epochs: int) -> None:
        if done.epoch == epoch:
            raise Killed

    return report


def assert_same(first: Trained, second: Trained) -> None:
    parameters = first.network.state_dict()
    assert all(torch.equal(value, parameters[name]) for name, value in second.network.state_dict().items())
    assert np.array_equal(first.head.weight, second.head.weight)
    assert np.array_equal(first.head.bias, second.head.bias)
    assert first.history == second.history


@pytest.mark.parametrize("task", ["single", "binary", "multi"])
@pytest.mark.parametrize("after", range(1, EPOCHS + 1))
def test_training_that_was_killed_and_resumed_ends_as_if_left_alone(tmp_path: Path, task: str, after: int):
    (tmp_path / "alone").mkdir()
    (tmp_path / "killed").mkdir()
    alone = trained(tmp_path / "alone", task=task)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", task=task, report=killed_after(after))
    told: list[int] = []
    resumed = trained(
        tmp_path / "killed", task=task, resume=True, report=lambda epoch, epochs: told.append(epoch.epoch)
    )
    assert told == list(range(after + 1, EPOCHS + 1))
    assert_same(alone, resumed)
    histories = [(tmp_path / name / "history.csv").read_bytes() for name in ("alone", "killed")]
    assert histories[0] == histories[1]
    assert (len(alone.seconds), len(resumed.seconds)) == (EPOCHS, EPOCHS - after)


def test_a_damaged_checkpoint_is_not_gone_on_with(tmp_path: Path):
    alone = trained(tmp_path)
    for content in (b"", b"half of", (tmp_path / CHECKPOINT_NAME).read_bytes()[:-9]):
        (tmp_path / CHECKPOINT_NAME).write_bytes(content)
        assert_same(alone, trained(tmp_path, resume=True))


def test_a_kill_within_an_epoch_loses_that_epoch_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    alone = trained(tmp_path)
    (tmp_path / CHECKPOINT_NAME).unlink()
    calls = iter(range(100))

    def killing(covers: torch.Tensor) -> torch.Tensor:
        if next(calls) == 7:  # the second of the third epoch's three steps
            raise Killed
        return augment(covers)

    with monkeypatch.context() as patch:
        patch.setattr(augmentation, "augment", killing)
        with pytest.raises(Killed):
            trained(tmp_path)
    told: list[int] = []
    resumed = trained(tmp_path, resume=True, report=lambda epoch, epochs: told.append(epoch.epoch))
    assert told == [3, 4]
    assert_same(alone, resumed)


def test_a_kill_between_checkpoint_and_history_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    alone = trained(tmp_path)
    whole = history_of(tmp_path)
    (tmp_path / CHECKPOINT_NAME).unlink()

    def kill(path: Path, history: list[Epoch]) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training, "write_history", kill)
        with pytest.raises(Killed):
            trained(tmp_path)
    assert_same(alone, trained(tmp_path, resume=True))
    assert history_of(tmp_path) == whole


def test_the_same_seed_gives_the_same_network_and_another_seed_another(tmp_path: Path):
    assert_same(trained(tmp_path, seed=3), trained(tmp_path, seed=3))
    with pytest.raises(AssertionError):
        assert_same(trained(tmp_path, seed=3), trained(tmp_path, seed=4))


@pytest.mark.parametrize(
    "other",
    [{"fingerprint": "other covers"}, {"seed": 1}, {"settings": replace(BRIEF, rate=5e-3)}, {"task": "binary"}],
)
def test_the_checkpoint_of_another_training_is_not_resumed(tmp_path: Path, other: dict[str, Any]):
    with pytest.raises(Killed):
        trained(tmp_path, report=killed_after(2))
    told: list[int] = []
    trained(tmp_path, resume=True, report=lambda epoch, epochs: told.append(epoch.epoch), **other)
    assert told == [1, 2, 3, 4]


def test_without_resume_a_checkpoint_is_left_aside(tmp_path: Path):
    with pytest.raises(Killed):
        trained(tmp_path, report=killed_after(2))
    told: list[int] = []
    trained(tmp_path, report=lambda epoch, epochs: told.append(epoch.epoch))
    assert told == [1, 2, 3, 4]


def test_what_is_kept_is_the_epoch_with_the_smallest_loss_on_valid(tmp_path: Path):
    valid = contrary()
    result = trained(tmp_path, sides=(side(48), valid), settings=replace(BRIEF, epochs=6))
    losses = [epoch.valid_loss for epoch in result.history]
    assert losses[-1] > min(losses)
    with torch.inference_mode():
        logits = result.head.logits(result.network(torch.from_numpy(valid.covers)).numpy())
    assert log_loss(valid.truth, proba_of(logits, task="single")) == pytest.approx(min(losses), rel=1e-3)
    best = result.history[int(np.argmin(losses))]
    assert (logits.argmax(axis=1) == valid.truth).mean() == pytest.approx(best.valid_accuracy)


def test_it_stops_when_valid_has_not_become_better_for_too_long(tmp_path: Path):
    history = trained(tmp_path, sides=(side(48), contrary()), settings=replace(BRIEF, epochs=50, patience=2)).history
    losses = [epoch.valid_loss for epoch in history]
    assert len(history) == int(np.argmin(losses)) + 3 < 50


def test_it_learns_what_the_covers_show_in_every_task(tmp_path: Path):
    for task in ("single", "binary", "multi"):
        history = trained(tmp_path, task=task, settings=replace(BRIEF, epochs=8)).history
        assert history[-1].train_loss < 0.7 * history[0].train_loss
        assert history[-1].valid_accuracy > 0.9


def test_the_history_is_a_table_with_a_line_an_epoch(tmp_path: Path):
    result = trained(tmp_path)
    with (tmp_path / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy"]
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    for row, epoch in zip(rows, result.history, strict=True):
        assert {name: float(cell) for name, cell in row.items()} == pytest.approx(asdict(epoch), rel=1e-5)


def test_a_last_batch_of_a_single_cover_is_left_out_of_an_epoch(tmp_path: Path):
    result = trained(tmp_path, n=33, settings=replace(BRIEF, epochs=1))  # batches of 16, 16 and 1
    assert result.history[0].train_accuracy * 32 == pytest.approx(round(result.history[0].train_accuracy * 32))


def test_the_rate_rises_to_its_height_and_falls_along_half_a_cosine():
    settings = TrainingSettings(epochs=10, batch=8, rate=1.0, warm_up=2)
    run = training._Run(
        tiny_network(), "single", 3, settings, 0, (32, 32, 32, 3)
    )  # 4 steps an epoch, 8 of warm-up, 40 in all
    rates = []
    for step in range(40):
        run._set_rate(step)
        rates.append(run.optimizer.param_groups[0]["lr"])
    assert rates[:8] == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0])
    assert rates[8] == pytest.approx(1.0)
    assert rates[24] == pytest.approx(0.5)  # half-way between 8 and 40
    assert rates[39] == pytest.approx(0.5 * (1 + np.cos(np.pi * 31 / 32)))
    assert (np.diff(rates[8:]) <= 0).all()


def test_every_epoch_of_every_seed_has_a_stream_of_its_own():
    streams = {training._stream(seed, epoch) for seed in range(30) for epoch in range(40)}
    assert len(streams) == 30 * 40


def test_dropout_hides_features_from_the_head_while_it_learns(tmp_path: Path):
    without = trained(tmp_path, settings=replace(BRIEF, dropout=0.0))
    with pytest.raises(AssertionError):
        assert_same(without, trained(tmp_path, settings=replace(BRIEF, dropout=0.5)))


# -------------------------------------------------------------------------------- plain gradient descent


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("after", [1, 3])
def test_plain_descent_that_was_killed_and_resumed_ends_as_if_left_alone(tmp_path: Path, after: int, momentum: float):
    settings = replace(PLAIN, momentum=momentum)
    (tmp_path / "alone").mkdir()
    (tmp_path / "killed").mkdir()
    alone = trained(tmp_path / "alone", settings=settings)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", settings=settings, report=killed_after(after))
    told: list[int] = []
    resumed = trained(
        tmp_path / "killed", settings=settings, resume=True, report=lambda epoch, epochs: told.append(epoch.epoch)
    )
    assert told == list(range(after + 1, EPOCHS + 1))
    assert_same(alone, resumed)


def test_a_resumed_training_still_has_its_best_epoch_where_that_is_not_the_last(tmp_path: Path):
    sides, settings = (side(48), contrary()), replace(PLAIN, rate=0.05, epochs=6)
    alone = trained(tmp_path, sides=sides, settings=settings)
    losses = [epoch.valid_loss for epoch in alone.history]
    best = int(np.argmin(losses)) + 1
    assert best < 6
    for after in (best, 5):
        with pytest.raises(Killed):
            trained(tmp_path, sides=sides, settings=settings, report=killed_after(after))
        with safe_open(tmp_path / CHECKPOINT_NAME, framework="np") as file:
            twice = any(name.startswith("best.") for name in file.keys())  # noqa: SIM118  (no mapping)
        assert twice == (after != best)
        assert_same(alone, trained(tmp_path, sides=sides, settings=settings, resume=True))


def test_a_training_that_went_astray_is_resumed_with_its_best_epoch(tmp_path: Path):
    settings = replace(PLAIN, rate=1e30, epochs=3)  # no loss is a number any more: what is kept is the beginning
    alone = trained(tmp_path, settings=settings)
    assert not np.isfinite([epoch.valid_loss for epoch in alone.history]).any()
    assert np.isfinite(alone.head.weight).all()
    with pytest.raises(Killed):
        trained(tmp_path, settings=settings, report=killed_after(1))
    resumed = trained(tmp_path, settings=settings, resume=True)
    assert np.array_equal(alone.head.weight, resumed.head.weight)


def test_plain_descent_goes_the_way_of_a_loop_written_out(tmp_path: Path):
    settings, train, valid = replace(PLAIN, epochs=2), side(40), side(24, seed=1)
    torch.manual_seed(5)
    network = study_cnn()
    result = train_network(network, (train, valid), task="single", genres=3, settings=settings, seed=5, folder=tmp_path)
    torch.manual_seed(5)
    other = study_cnn()
    torch.manual_seed(5)
    module = torch.nn.Sequential(other, torch.nn.Linear(84, 3))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(2):
        torch.manual_seed(training._stream(5, epoch))
        for rows in torch.randperm(40).split(16):
            logits = module(torch.from_numpy(train.covers)[rows])
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, torch.from_numpy(train.truth)[rows]).backward()
            optimizer.step()
    assert result.history[1].valid_loss < result.history[0].valid_loss  # so the last epoch is what is kept
    for name, value in result.network.state_dict().items():
        assert torch.allclose(value, other.state_dict()[name], atol=1e-5), name
    assert np.allclose(result.head.weight, module[1].weight.detach().numpy(), atol=1e-5)


def test_covers_that_are_not_augmented_are_seen_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(augmentation, "augment", None)
    trained(tmp_path, settings=PLAIN)


def test_a_constant_rate_rises_and_stays():
    settings = replace(PLAIN, epochs=3, batch=8, rate=1.0, warm_up=1)
    run = training._Run(tiny_network(), "single", 3, settings, 0, (32, 32, 32, 3))
    rates = []
    for step in range(12):
        run._set_rate(step)
        rates.append(run.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.25, 0.5, 0.75] + [1.0] * 9)


def test_settings_that_came_later_are_told_only_where_they_are_not_the_default():
    before = {"epochs": 7, "batch": 32, "rate": 2e-3, "warm_up": 2, "decay": 0.05, "dropout": 0.2, "patience": 10}
    assert TrainingSettings(epochs=7).told() == before
    plain = PLAIN.told()
    assert (plain["optimizer"], plain["schedule"], plain["augmented"]) == ("sgd", "constant", False)
    assert "precision" not in plain
    assert "balance" not in plain
    for settings in (TrainingSettings(), PLAIN, replace(PLAIN, momentum=0.5), replace(ADAM, precision="auto")):
        assert TrainingSettings(**settings.told()) == settings


def test_the_logits_of_covers_are_those_of_head_on_network(tmp_path: Path):
    result = trained(tmp_path, settings=replace(BRIEF, epochs=1))
    covers = side(21, seed=2).covers
    expected = result.head.logits(result.network(torch.from_numpy(covers)).detach().numpy())
    for batch in (1, 4, 64):
        found = logits_of(result, covers, batch=batch)
        assert found.shape == (21, 3)
        assert np.allclose(found, expected, atol=1e-5)


# -------------------------------------------------------------------------------- one logit, Adam, balance


def test_in_a_binary_task_the_head_is_one_logit_and_a_row_of_zeros(tmp_path: Path):
    result = trained(tmp_path, task="binary", settings=replace(BRIEF, epochs=1))
    assert result.head.weight.shape == (2, 12)
    assert result.head.bias.shape == (2,)
    assert not result.head.weight[1].any()
    assert result.head.bias[1] == 0
    proba = proba_of(logits_of(result, side(10, task="binary").covers), task="binary")
    logit = logits_of(result, side(10, task="binary").covers)[:, 0]
    assert np.allclose(proba[:, 0], 1 / (1 + np.exp(-logit)), atol=1e-6)


def test_adam_goes_the_way_of_a_loop_written_out_and_makes_the_loss_smaller(tmp_path: Path):
    settings = replace(PLAIN, epochs=2, rate=1e-3, optimizer="adam")
    train, valid = side(40, task="binary"), side(24, task="binary", seed=1)
    torch.manual_seed(5)
    network = study_cnn()
    result = train_network(network, (train, valid), task="binary", genres=2, settings=settings, seed=5, folder=tmp_path)
    torch.manual_seed(5)
    other = study_cnn()
    torch.manual_seed(5)
    module = torch.nn.Sequential(other, torch.nn.Linear(84, 1))
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for epoch in range(2):
        torch.manual_seed(training._stream(5, epoch))
        for rows in torch.randperm(40).split(16):
            logit = module(torch.from_numpy(train.covers)[rows])[:, 0]
            asked_for = 1 - torch.from_numpy(train.truth)[rows].float()
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(logit, asked_for).backward()
            optimizer.step()
    assert result.history[1].valid_loss < result.history[0].valid_loss
    assert np.allclose(result.head.weight[0], module[1].weight.detach().numpy()[0], atol=1e-4)
    for name, value in result.network.state_dict().items():
        assert torch.allclose(value, other.state_dict()[name], atol=1e-4), name


@pytest.mark.parametrize("balance", ["draws", "weights"])
@pytest.mark.parametrize("task", ["binary", "multi"])
def test_balanced_training_by_adam_that_was_killed_and_resumed_ends_as_if_left_alone(
    tmp_path: Path, task: str, balance: str
):
    settings = replace(ADAM, augmented=True, dropout=0.2, balance=balance, precision="auto")
    for name in ("alone", "killed"):
        (tmp_path / name).mkdir()
    alone = trained(tmp_path / "alone", task=task, settings=settings)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", task=task, settings=settings, report=killed_after(2))
    told: list[int] = []
    resumed = trained(
        tmp_path / "killed",
        task=task,
        settings=settings,
        resume=True,
        report=lambda done, epochs: told.append(done.epoch),
    )
    assert told == [3, 4]
    assert_same(alone, resumed)
    assert alone.history[-1].train_loss < alone.history[0].train_loss


def test_balance_finds_a_rare_genre_that_is_lost_without(tmp_path: Path):
    found: dict[str, float] = {}
    rng = np.random.default_rng(3)
    rare = side(96)
    few = np.concatenate([np.flatnonzero(rare.truth == 0)[:3], np.flatnonzero(rare.truth == 1), rng.permutation(2)])
    noisy = rare.covers[few].astype(np.int64) + rng.normal(0, 60, (len(few), 1, 1, 3)).astype(np.int64)
    train = Side(noisy.clip(0, 255).astype(np.uint8), rare.truth[few] % 2)
    for balance in ("none", "weights", "draws"):
        settings = replace(ADAM, balance=balance, epochs=2, rate=2e-3)
        result = trained(tmp_path, task="binary", sides=(train, train), settings=settings)
        found[balance] = float(proba_of(logits_of(result, train.covers), task="binary")[:, 0].mean())
    assert found["weights"] > found["none"]
    assert found["draws"] > found["none"]


# -------------------------------------------------------------------------------- precision

CPU = torch.device("cpu")


def test_auto_is_bfloat16_on_a_cpu_that_has_it_and_float32_on_another(monkeypatch: pytest.MonkeyPatch):
    for has, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda has=has: {"amx_bf16": has, "avx512_bf16": True}, raising=False
        )
        assert cpu_has_bfloat16() == has
        assert precision_used("auto", CPU) == expected
        assert precision_used("bfloat16", CPU) == "bfloat16"
        assert precision_used("float32", CPU) == "float32"


def test_an_older_torch_is_not_asked_what_the_cpu_has(monkeypatch: pytest.MonkeyPatch):
    known = cpu_has_bfloat16()
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert cpu_has_bfloat16() in {known, False}  # False where the system doesn't tell


def test_the_precision_that_was_used_is_told(tmp_path: Path):
    for asked in ("float32", "bfloat16", "auto"):
        result = trained(tmp_path, settings=replace(BRIEF, epochs=1, precision=asked))
        assert result.precision == (precision_used("auto", CPU) if asked == "auto" else asked)
        assert result.head.weight.dtype == np.float32


def test_the_card_tells_the_precision_and_any_was_right_where_any_will_do(small_model: Model):
    told = small_model.card["head"]
    assert told["precision"] == "float32"
    for asked in (BRIEF, replace(BRIEF, precision="auto")):
        assert recipes._same_settings(told["settings"], asked)
    for asked in (replace(BRIEF, precision="bfloat16"), replace(BRIEF, precision="auto", rate=1.0)):
        assert not recipes._same_settings(told["settings"], asked)


def test_a_checkpoint_of_another_precision_is_not_resumed(tmp_path: Path):
    with pytest.raises(Killed):
        trained(tmp_path, settings=replace(BRIEF, precision="bfloat16"), report=killed_after(2))
    told: list[int] = []
    settings = replace(BRIEF, precision="float32")
    trained(tmp_path, settings=settings, resume=True, report=lambda epoch, epochs: told.append(epoch.epoch))
    assert told == [1, 2, 3, 4]


def test_bfloat16_ends_an_epoch_where_float32_ends_it(tmp_path: Path):
    told, features = {}, {}
    sides = (side(64), side(24, seed=1))
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        settings = replace(BRIEF, epochs=1, rate=1e-3, precision=precision)
        result = train_network(
            small_network(), sides, task="single", genres=3, settings=settings, seed=0, folder=tmp_path
        )
        told[precision] = result.history[0]
        with torch.inference_mode():
            features[precision] = result.network(torch.from_numpy(sides[1].covers)).numpy()
    one, other = features.values()
    cosines = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert cosines.min() > 0.999
    assert told["bfloat16"].train_loss == pytest.approx(told["float32"].train_loss, rel=0.02)
    assert told["bfloat16"].valid_loss == pytest.approx(told["float32"].valid_loss, rel=0.02)


def test_rows_that_stay_on_the_disk_are_learnt_from_as_those_in_memory(tmp_path: Path):
    whole = side(48)
    rows = np.random.default_rng(1).permutation(48)[:30]
    found = []
    for covers in (whole.covers[rows], PixelRows(whole.covers, rows.tolist())):
        result = trained(tmp_path, sides=(Side(covers, whole.truth[rows]), side(24, seed=1)), settings=BRIEF)
        found.append([(epoch.train_loss, epoch.valid_loss) for epoch in result.history])
    assert found[0] == found[1]


def test_memory_that_is_kept_changes_no_number():
    torch.manual_seed(0)
    network, covers = study_cnn(), torch.from_numpy(side(8).covers)
    expected = network(covers)
    with memory_kept(), computing("float32", CPU):
        found = network(covers)
    assert torch.equal(found, expected)
    assert torch.equal(network(covers), expected)


# -------------------------------------------------------------------------------- all that may be switched on

EVERYTHING = replace(
    BRIEF, mixup=0.4, cutmix=1.0, erasing=0.3, smoothing=0.1, average=0.9, crop=0.5, color=0.5, distillation=0.5,
    layer_rate=0.7,
)  # fmt: skip


def mean_color(normalised: torch.Tensor) -> torch.Tensor:
    return normalised.mean(dim=(2, 3))


@pytest.mark.parametrize("task", ["single", "binary", "multi"])
@pytest.mark.parametrize("after", [1, 3])
def test_training_with_everything_that_was_killed_and_resumed_ends_as_if_left_alone(
    tmp_path: Path, task: str, after: int
):
    for name in ("alone", "killed"):
        (tmp_path / name).mkdir()
    more: dict[str, Any] = {"task": task, "settings": EVERYTHING, "teacher": mean_color}
    alone = trained(tmp_path / "alone", **more)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", **more, report=killed_after(after))
    told: list[int] = []
    resumed = trained(tmp_path / "killed", **more, resume=True, report=lambda epoch, epochs: told.append(epoch.epoch))
    assert told == list(range(after + 1, EPOCHS + 1))
    assert_same(alone, resumed)


@pytest.mark.parametrize(
    "more",
    [{"mixup": 0.4}, {"cutmix": 1.0}, {"erasing": 0.5}, {"smoothing": 0.1}, {"crop": 0.5}, {"color": 0.5}],
    ids=lambda more: next(iter(more)),
)
def test_each_thing_that_is_switched_on_changes_what_is_learnt_and_is_learnt_by(tmp_path: Path, more: dict[str, float]):
    plain = trained(tmp_path, settings=replace(BRIEF, epochs=3))
    other = trained(tmp_path, settings=replace(BRIEF, epochs=3, **more))
    with pytest.raises(AssertionError):
        assert_same(plain, other)
    assert other.history[-1].valid_loss < other.history[0].valid_loss


def test_the_average_is_what_valid_measures_and_what_is_kept(tmp_path: Path):
    valid = side(24, seed=1)
    settings = replace(BRIEF, average=0.8)
    result = trained(tmp_path, settings=settings)
    proba = proba_of(logits_of(result, valid.covers), task="single")
    losses = [epoch.valid_loss for epoch in result.history]
    assert log_loss(valid.truth, proba) == pytest.approx(min(losses), rel=1e-3)
    plain = trained(tmp_path)
    assert [epoch.train_loss for epoch in result.history] == [epoch.train_loss for epoch in plain.history]
    assert losses != [epoch.valid_loss for epoch in plain.history]


def test_an_average_that_forgets_at_once_is_the_network_itself(tmp_path: Path):
    plain, averaged = trained(tmp_path), trained(tmp_path, settings=replace(BRIEF, average=1e-9))
    for name, value in averaged.network.state_dict().items():
        assert torch.allclose(value, plain.network.state_dict()[name], atol=1e-5), name


def test_genres_that_are_unknown_leave_no_trace(tmp_path: Path):
    whole, valid = side(48, task="multi"), side(24, task="multi", seed=1)
    settings = replace(BRIEF, decay=0.0, average=0.9, balance="weights")
    unknown = whole.truth.copy()
    unknown[:, 1] = -1
    valid.truth[:, 1] = -1
    beginning = trained(tmp_path, task="multi", sides=(whole, valid), settings=replace(settings, rate=0.0))
    result = trained(tmp_path, task="multi", sides=(Side(whole.covers, unknown), valid), settings=settings)
    assert np.allclose(result.head.weight[1], beginning.head.weight[1], atol=1e-6)  # nothing was said of it
    assert not np.allclose(result.head.weight[0], beginning.head.weight[0], atol=1e-3)
    plain = trained(tmp_path, task="multi", sides=(Side(whole.covers, unknown), valid), settings=BRIEF)
    known = logits_of(plain, valid.covers)[:, [0, 2]]
    loss = log_loss(valid.truth[:, [0, 2]], proba_of(known, task="multi"))
    assert min(epoch.valid_loss for epoch in plain.history) == pytest.approx(loss, rel=1e-3)


def test_what_is_switched_on_comes_back_from_a_card():
    assert TrainingSettings(**EVERYTHING.told()) == EVERYTHING
    told = replace(BRIEF, mixup=0.2, unfrozen=3).told()
    assert (told["mixup"], told["unfrozen"]) == (0.2, 3)
    assert "cutmix" not in told


def test_pixels_on_the_device_that_learns_are_learnt_from_as_those_elsewhere(tmp_path: Path):
    sides = (side(48), side(24, seed=1))
    there = tuple(Side(torch.from_numpy(one.covers), one.truth) for one in sides)
    assert_same(trained(tmp_path, sides=sides), trained(tmp_path, sides=there))


def test_pixels_are_put_on_a_gpu_where_they_fit_and_never_on_a_cpu():
    rows = PixelRows(side(600).covers, list(range(0, 600, 2)))
    some, meta = Side(rows, np.zeros(300, np.int64)), torch.device("meta")  # a device, though it computes nothing
    assert held(some, CPU) is some
    assert held(some, meta, limit_bytes=300 * 32 * 32 * 3 - 1) is some
    there = held(some, meta).covers
    assert isinstance(there, torch.Tensor)
    assert there.device == meta
    assert there.shape == (300, 32, 32, 3)

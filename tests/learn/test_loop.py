"""The training loop: it learns, resumes bit for bit, stops in time and loses nothing."""

from __future__ import annotations

import csv
import itertools
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_infoleak.core.config import TrainConfig
from napari_infoleak.core.errors import BadInput, InfoleakError, OutOfMemory, WriteFailed
from napari_infoleak.core.progress import CancelToken
from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn import loop as loops
from napari_infoleak.learn.checkpoints import Store
from napari_infoleak.learn.loop import Outcome, Report
from napari_infoleak.learn.recipes.supervised import supervised
from napari_infoleak.learn.validation import HeldOut, Score
from napari_infoleak.segmenters.batch import Batch
from napari_infoleak.segmenters.supervised import SupervisedSegmenter
from tiny_trainable import TinyAdversarial, TinyTrainable, fresh, painted, sparse

STEPS = 12


def config(**settings: Any) -> TrainConfig:
    plain: dict[str, Any] = {"crop": 16, "batch": 2, "device": "cpu", "rate": 0.02}
    if "minutes" not in settings:
        plain["steps"] = STEPS
    return TrainConfig.checked(**plain | settings)


def learn(
    segmenter: SupervisedSegmenter | None = None,
    support: SupportSet | None = None,
    folder: Path | None = None,
    *,
    resume: bool = False,
    fingerprint: str = "one",
    **settings: Any,
) -> Outcome:
    others = {
        name: settings.pop(name)
        for name in ("listen", "cancel", "progress", "validation")
        if name in settings
    }
    return supervised(
        segmenter or fresh(),
        support or painted(),
        config(**settings),
        store=Store(folder / "run", {"is": fingerprint}) if folder else None,
        resume=resume,
        **others,
    )


def same(one: Outcome, two: Outcome) -> bool:
    return all(torch.equal(one.tensors[name], two.tensors[name]) for name in one.tensors)


@pytest.fixture
def worse_and_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no validation be better than the first."""
    counting = itertools.count(1)

    def score(*args: Any) -> Score:
        share = 1 / next(counting)
        return Score(share, {1: share, 2: share}, 0.5)

    monkeypatch.setattr(HeldOut, "score", score)


class Interrupted(Exception):
    """A power cut."""


def cut_off(step: int) -> Any:
    def listen(report: Report) -> None:
        if report.step >= step:
            raise Interrupted

    return listen


# --------------------------------------------------------------------------- learning


def test_it_learns_from_dense_and_from_sparse_annotations() -> None:
    for support in (painted(), sparse()):
        outcome = learn(support=support, steps=60)
        assert outcome.score is not None
        assert outcome.before is not None
        assert outcome.score.miou > max(0.75, outcome.before.miou)


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    first, again, other = learn(), learn(), learn(seed=1)
    assert same(first, again)
    assert not same(first, other)


def test_the_callers_random_numbers_are_left_alone() -> None:
    segmenter = fresh()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    learn(segmenter, steps=2)
    assert torch.equal(torch.rand(3), expected)


def test_losses_and_scores_are_reported_and_logged(tmp_path: Path) -> None:
    reports: list[Report] = []
    learn(folder=tmp_path, listen=reports.append)
    assert reports[0].step == 0
    assert reports[-1].step == STEPS
    assert any("cross entropy" in report.losses for report in reports)
    assert all(0 <= report.share <= 1 for report in reports)
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [report.step for report in reports]
    assert float(rows[-1]["validation mIoU"]) > 0
    assert float(rows[-1]["validation IoU 2"]) > 0
    assert float(rows[-1]["cross entropy"]) > 0


def test_the_rate_rises_and_falls_with_the_budget() -> None:
    rates: list[float] = []
    learn(steps=40, listen=lambda report: rates.append(report.rate))
    top = rates.index(max(rates))
    assert 0 < top < len(rates) - 1
    assert rates[-1] < 0.05 * max(rates)


def test_an_adversary_moves_by_its_own_terms_alone() -> None:
    def gradients(kind: type[TinyAdversarial]) -> dict[str, Any]:
        segmenter = fresh(kind)
        before = [p.detach().clone() for p in segmenter.critic.parameters()]
        learn(segmenter, steps=3)
        after = list(segmenter.critic.parameters())
        return {"moved": any(not torch.equal(a, b) for a, b in zip(after, before, strict=True))}

    class Fooling(TinyAdversarial):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            terms = super().loss(batch)
            return {name: terms[name] for name in ("cross entropy", "fooled")}

    assert gradients(TinyAdversarial)["moved"]
    assert not gradients(Fooling)["moved"]


@pytest.mark.usefixtures("worse_and_worse")
def test_the_best_weights_are_kept_even_those_it_began_with() -> None:
    segmenter = fresh()
    before = {name: tensor.clone() for name, tensor in segmenter.tensors().items()}
    outcome = learn(segmenter)
    assert (outcome.step, outcome.steps) == (0, STEPS)
    assert outcome.score == outcome.before
    assert all(torch.equal(outcome.tensors[name], before[name]) for name in before)


def test_given_validation_is_used_as_it_is() -> None:
    support = painted(2)
    planes = support.planes
    one, other = (SupportSet().add(plane.image, plane.annotation, axes="YX") for plane in planes)
    outcome = learn(support=one, validation=other)
    assert outcome.score is not None
    assert set(outcome.score.iou) == {1, 2}


def test_nothing_is_held_out_when_that_is_not_wanted() -> None:
    outcome = learn(hold_out=False)
    assert outcome.score is None
    assert outcome.step == STEPS


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(BadInput, match="second class"):
        learn(support=SupportSet(painted().classes).add([[1.0, 2.0]], [[2, 2]], axes="YX"))


# --------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("kind", [TinyTrainable, TinyAdversarial])
@pytest.mark.parametrize("step", [0, 5, 11])
def test_resumed_after_a_crash_it_comes_to_the_same_weights(
    kind: type[SupervisedSegmenter], step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "SAVE_SECONDS", 0.0)
    whole = learn(fresh(kind))
    with pytest.raises(Interrupted):
        learn(fresh(kind), folder=tmp_path, listen=cut_off(step))
    resumed = learn(fresh(kind), folder=tmp_path, resume=True)
    assert same(whole, resumed)
    assert (resumed.score, resumed.before) == (whole.score, whole.before)


def test_resumed_after_a_stop_it_comes_to_the_same_weights(tmp_path: Path) -> None:
    stop = CancelToken()

    def listen(report: Report) -> None:
        if report.step >= 4:
            stop.cancel()

    whole = learn()
    part = learn(folder=tmp_path, cancel=stop, listen=listen)
    assert part.stopped
    assert 0 < part.steps < STEPS
    assert same(whole, learn(folder=tmp_path, resume=True))


def test_a_stop_within_a_step_leaves_no_trace(tmp_path: Path) -> None:
    class Stopping(TinyTrainable):
        calls = 0

        def loss(self, batch: Batch) -> dict[str, Tensor]:
            Stopping.calls += 1
            if Stopping.calls == 6:
                stop.cancel()  # after this the network is run: its statistics would change
            return super().loss(batch)

    stop, whole = CancelToken(), learn()
    part = learn(fresh(Stopping), folder=tmp_path, cancel=stop)
    assert part.stopped
    assert part.steps == 5
    assert same(whole, learn(folder=tmp_path, resume=True))


@pytest.mark.usefixtures("worse_and_worse")
def test_stopped_while_nothing_was_better_and_resumed_it_still_knows_the_best(
    tmp_path: Path,
) -> None:
    stop = CancelToken()

    def progress(done: int, total: int, message: str = "") -> None:
        if message.startswith("step 2"):
            stop.cancel()

    segmenter = fresh()
    before = {name: tensor.clone() for name, tensor in segmenter.tensors().items()}
    part = learn(segmenter, folder=tmp_path, progress=progress, cancel=stop)
    assert (part.stopped, part.step) == (True, 2)
    resumed = learn(folder=tmp_path, resume=True)
    assert resumed.step == 0
    assert all(torch.equal(resumed.tensors[name], before[name]) for name in before)


def test_a_finished_training_can_be_given_more_steps(tmp_path: Path) -> None:
    learn(folder=tmp_path)
    more = learn(folder=tmp_path, resume=True, steps=STEPS + 3)
    assert more.steps == STEPS + 3


def test_resuming_another_training_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no training to resume"):
        learn(folder=tmp_path, resume=True)
    learn(folder=tmp_path, steps=2)
    with pytest.raises(BadInput, match="other is"):
        learn(folder=tmp_path, resume=True, fingerprint="two")


def test_the_log_of_a_resumed_training_has_each_step_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "SAVE_SECONDS", 1e9)  # the crash comes long after the last save
    with pytest.raises(Interrupted):
        learn(folder=tmp_path, listen=cut_off(8))
    learn(folder=tmp_path, resume=True)
    with (tmp_path / "run" / "log.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == sorted(set(steps))


# --------------------------------------------------------------------------- stopping


def test_a_cancel_within_a_layer_ends_it_and_keeps_what_was_learned() -> None:
    class Slow(TinyTrainable):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            scores = self.net(batch.images)
            stop.cancel()  # between forward and backward
            began.append(time.monotonic())
            return {"loss": scores.square().mean()}

    began: list[float] = []
    stop = CancelToken()
    segmenter = fresh(Slow)
    before = {name: tensor.clone() for name, tensor in segmenter.tensors().items()}
    outcome = learn(segmenter, cancel=stop)
    assert outcome.stopped
    assert outcome.steps == 0  # the backward pass was not gone through
    assert all(torch.equal(outcome.tensors[name], before[name]) for name in before)


def test_stopped_before_any_validation_the_newest_weights_are_kept() -> None:
    stop, reports = CancelToken(), []

    def progress(done: int, total: int, message: str = "") -> None:
        reports.append(message)
        if len(reports) == 3:
            stop.cancel()

    first = fresh().tensors()
    outcome = learn(cancel=stop, progress=progress, steps=1000)
    assert outcome.steps == outcome.step == 3
    assert any(not torch.equal(outcome.tensors[name], first[name]) for name in first)


def test_minutes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def progress(done: int, total: int, message: str = "") -> None:
        clock[0] += 1.0  # a step takes a second

    outcome = learn(minutes=0.5, progress=progress)
    assert 20 <= outcome.steps <= 30
    assert outcome.seconds <= 30
    assert not outcome.stopped


def test_a_budget_shorter_than_a_step_still_gives_a_model() -> None:
    outcome = learn(minutes=1e-6)
    assert outcome.steps == 0
    assert TinyTrainable.from_file(outcome.tensors, outcome.header).classes.ids == (1, 2)


# ---------------------------------------------------------------------------- mishaps


def test_where_memory_runs_out_fewer_crops_are_taken() -> None:
    class Hungry(TinyTrainable):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            sizes.append(len(batch))
            if len(batch) > 2:
                raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried ...")
            return super().loss(batch)

    sizes: list[int] = []
    outcome = learn(fresh(Hungry), batch=8, steps=3)
    assert sizes == [8, 4, 2, 2, 2]
    assert outcome.steps == 3


def test_where_not_one_crop_fits_it_says_so() -> None:
    class Starving(TinyTrainable):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            raise MemoryError

    with pytest.raises(OutOfMemory, match="smaller crop"):
        learn(fresh(Starving))


def test_a_step_without_numbers_is_passed_over() -> None:
    class Rarely(TinyTrainable):
        calls = 0

        def loss(self, batch: Batch) -> dict[str, Tensor]:
            Rarely.calls += 1
            terms = super().loss(batch)
            return {"loss": sum(terms.values()) * (float("nan") if Rarely.calls == 3 else 1)}

    outcome = learn(fresh(Rarely))
    assert outcome.steps == STEPS
    assert all(torch.isfinite(tensor).all() for tensor in outcome.tensors.values())


def test_losses_that_stay_without_numbers_end_it() -> None:
    class Never(TinyTrainable):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            return {"loss": sum(super().loss(batch).values()) * float("nan")}

    with pytest.raises(InfoleakError, match="lower rate"):
        learn(fresh(Never), steps=100)


def test_a_full_disk_is_told_and_the_last_state_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "SAVE_SECONDS", 0.0)
    write, full = Path.write_bytes, []

    def fill(path: Path, data: bytes) -> int:
        if len(full) > 6:
            raise OSError(28, "No space left on device")
        full.append(path)
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(WriteFailed, match="disk is full"):
        learn(folder=tmp_path)
    monkeypatch.setattr(Path, "write_bytes", write)
    assert same(learn(), learn(folder=tmp_path, resume=True))

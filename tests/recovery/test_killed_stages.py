"""A stage that is killed, whenever that is, and started again ends as if nothing had happened."""

import random
import signal

import pytest

from aepo.stages.workplace import run_folder, store_of
from tests.recovery.staging import ORDER

POINTS = 10


def disturb(stages, stage, trial, **fate):
    """Run a stage to its violent end, run it again, compare; whether the first attempt was cut short."""
    stages.forget_champion()
    first = stages.run(stage, trial, **fate)
    assert first["code"] in (0, -signal.SIGKILL)
    assert stages.run(stage, trial)["code"] == 0
    assert stages.result(stage, trial) == stages.expected[stage]
    return first["code"] != 0


@pytest.mark.parametrize("stage", ORDER)
def test_killed_before_a_file_appears(stages, stage):
    write = random.Random(stage).randrange(6)
    disturb(stages, stage, f"{stage}-write", write=write, flush=0)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ORDER)
def test_killed_at_ten_random_moments(stages, stage):
    rng = random.Random(f"{stage}-moments")
    cut, attempts = 0, 0
    while cut < POINTS:
        attempts += 1
        assert attempts < 10 * POINTS, "it ends before it can be killed"
        cut += disturb(
            stages,
            stage,
            f"{stage}-moment-{attempts}",
            after=rng.uniform(0, stages.seconds[stage]),
            signal=signal.SIGKILL,
            flush=rng.choice([0, 2]),
        )


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["warm_start", "rollout", "train", "evaluate", "promote"])
def test_killed_at_ten_random_moments_with_a_bucket_for_a_store(bucket_stages, stage):
    test_killed_at_ten_random_moments(bucket_stages, stage)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ORDER)
def test_killed_before_each_of_the_first_ten_files(stages, stage):
    for write in range(POINTS):
        if not disturb(stages, stage, f"{stage}-file-{write}", write=write, flush=0):
            break


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("warm_start", marks=pytest.mark.slow),
        "rollout",
        "train",
        pytest.param("evaluate", marks=pytest.mark.slow),
    ],
)
def test_killed_again_and_again_it_gets_to_the_end(stages, stage):
    # Other work on the machine makes stages slower or faster: some share of the duration cuts one with work to keep.
    for share in (0.7, 0.8, 0.9, 0.6, 0.5, 0.4):
        trial, patience = f"{stage}-many-{share}", share * stages.seconds[stage]
        stages.forget_champion()
        while stages.run(stage, trial, after=patience, signal=signal.SIGKILL, flush=0)["code"] != 0:
            patience *= 1.1
        assert stages.result(stage, trial) == stages.expected[stage]
        if resumed := any(event["event"] == "stage_resumed" for event in stages.events(trial)):
            break
    assert resumed


def test_what_was_finished_is_answered_at_once_and_the_work_on_the_way_is_removed(stages):
    stages.forget_champion()
    for _ in range(2):
        assert stages.run("rollout", "twice", flush=0)["code"] == 0
        assert stages.result("rollout", "twice") == stages.expected["rollout"]
    assert stages.events("twice")[-1]["event"] == "stage_restored"
    assert not list((run_folder(stages.config("twice")) / "unfinished").glob("*"))


@pytest.mark.parametrize("content", ["", "zzz", "../.."])
def test_a_damaged_pointer_to_a_checkpoint_costs_only_time(stages, content):
    trial = f"pointer-{len(content)}"
    assert stages.run("warm_start", trial, progress=20, signal=signal.SIGKILL)["code"] == -signal.SIGKILL
    (pointer,) = run_folder(stages.config(trial)).glob("unfinished/*/newest")
    pointer.write_text(content)
    assert stages.run("warm_start", trial)["code"] == 0
    assert stages.result("warm_start", trial) == stages.expected["warm_start"]


def test_a_damaged_result_is_made_again(stages):
    trial, config = "damaged", stages.config("damaged")
    stages.forget_champion()
    assert stages.run("warm_start", trial)["code"] == 0
    weights = next((run_folder(config) / "policies").glob("*/model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    assert stages.run("warm_start", trial)["code"] == 0
    assert stages.result("warm_start", trial) == stages.expected["warm_start"]
    assert store_of(config).fetch(f"{trial}/policies/{weights.parent.name}", "weights").files


@pytest.mark.parametrize(
    ("stage", "progress", "saved"), [("warm_start", 20, 20), ("rollout", 4, 1), ("train", 3, 2), ("evaluate", 12, 1)]
)
def test_asked_to_end_it_saves_what_is_done_and_goes_on_from_there(stages, stage, progress, saved):
    trial = f"{stage}-asked"
    stages.forget_champion()
    first = stages.run(stage, trial, progress=progress, signal=signal.SIGTERM)
    assert first["code"] == 143
    assert first["seconds"] < 10
    assert stages.events(trial)[-1]["error"] == "interrupted"
    assert stages.run(stage, trial)["code"] == 0
    assert stages.result(stage, trial) == stages.expected[stage]
    (resumed,) = (event for event in stages.events(trial) if event["event"] == "stage_resumed")
    assert resumed["done"] >= saved

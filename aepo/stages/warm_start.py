"""warm start: the first policy, taught by the environment's demonstrator where there is one."""

from __future__ import annotations

from pathlib import Path

from aepo.config import Config
from aepo.environments.base import Demonstrates
from aepo.errors import UserError, brief
from aepo.paths import user_path
from aepo.rollout.codec import Codec
from aepo.rollout.dialogue import Dialogue
from aepo.rollout.metrics import accuracy
from aepo.stages.deadline import SAVING, at_most
from aepo.stages.policies import PolicyState, save_policy
from aepo.stages.result import StageResult
from aepo.stages.session import Session, use_threads
from aepo.stages.unfinished import Checkpoints
from aepo.stages.work import Work, stage
from aepo.stages.workplace import make_environment, read_prompts
from aepo.training.checkpoints import load_training, save_training
from aepo.training.policy import build_policy
from aepo.training.warm_start import Measure, WarmStart

CHECK_QUESTIONS = 200
"""Training questions on which the accuracy of the early stop is measured, one sample each."""


def model_files(config: Config, **_: object) -> dict[str, tuple[int, int]] | None:
    """Size and time of change of every file of the user's model, if there is one."""
    folder = user_path(config.model.path) if config.model.path else None
    if folder is None or not folder.is_dir():
        return None
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir() if path.is_file()}


@stage(depends=model_files)
def warm_start(work: Work, *, prompts: Path, output: Path) -> StageResult:
    """Build or load the model, train it on demonstrations, write the policy.

    Raises:
        UserError: the model cannot be loaded or does not fit the chat protocol, a prompt leaves no room for an
            answer, or demonstrations are asked of an environment that has none.
    """
    config = work.config
    use_threads(config)
    environment = make_environment(config)
    if config.model.path is None and environment.name != "lookup":
        raise UserError(
            f"environment {environment.name} needs a language model: set model.path to the folder of a "
            "Hugging Face model (the small built-in decoder only knows the lookup world's words)."
        )
    model, tokenizer = build_policy(config.model, context=config.rollout.context, seed=config.seed)
    _check_lengths(config, prompts, Dialogue(Codec(tokenizer), environment.protocol))
    metrics: dict[str, float] = {}
    if config.warm_start.steps:
        if not isinstance(environment, Demonstrates):
            raise UserError(f"environment {environment.name} has no demonstrator: set warm_start.steps to 0.")
        questions = read_prompts(prompts, "train")[:CHECK_QUESTIONS]

        def measure() -> float:
            session = Session(config, model, tokenizer, evaluation=True, log=work.log)
            return accuracy(session.sample(questions, 1, "warm start"))

        teacher = WarmStart(
            model,
            Codec(tokenizer),
            environment,
            config.warm_start,
            microbatch_tokens=config.training.microbatch_tokens,
        )
        _teach(work, teacher, measure)
        metrics = {**teacher.metrics, "steps": float(teacher.step)}
    save_policy(work.store, config.run, output, model, tokenizer, state=PolicyState())
    metrics["parameters"] = float(sum(parameter.numel() for parameter in model.parameters()))
    return StageResult(metrics)


def _check_lengths(config: Config, prompts: Path, dialogue: Dialogue) -> None:
    """Refuse prompts that leave no room for an answer now, not when a later stage comes to them."""
    context = config.rollout.context
    asked = read_prompts(prompts, "train") + read_prompts(prompts, "heldout")[: config.evaluation.questions]
    lengths = {prompt.id: len(dialogue.opening(prompt.text).token_ids) for prompt in asked}
    if too_long := [name for name, length in lengths.items() if length >= context]:
        raise UserError(
            f"{len(too_long)} of {len(asked)} prompts leave no room in rollout.context = {context}; the first one, "
            f"{brief(too_long[0])}, has {lengths[too_long[0]]} tokens: set rollout.context well above "
            f"{max(lengths.values())}, the length of the longest, or shorten these prompts."
        )


def _teach(work: Work, teacher: WarmStart, measure: Measure) -> None:
    """All steps, from the newest checkpoint on, with new ones on the way."""
    settings, checkpoints = work.config.warm_start, Checkpoints(work.store, work.unfinished)
    if (state := checkpoints.newest()) is not None:
        load_training(state.folder, teacher.model, teacher.optimizer)
        teacher.step, teacher.measured, teacher.metrics = (
            state.metadata[name] for name in ("step", "measured", "metrics")
        )
        work.log.resumed(teacher.step, settings.steps)

    def save() -> None:
        checkpoints.save(
            teacher.step,
            lambda folder: save_training(folder, teacher.model, teacher.optimizer),
            {"measured": teacher.measured, "metrics": teacher.metrics},
        )

    try:
        for step in teacher.steps(measure):
            work.log.progress(step, settings.steps, teacher.metrics)
            if step % settings.checkpoint_steps == 0 and step < settings.steps:
                save()
    except KeyboardInterrupt:
        at_most(save, SAVING)
        raise

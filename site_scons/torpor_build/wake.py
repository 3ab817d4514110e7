# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sleeping device in the build: its objects, and wake.c, made of a model's [wake]."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from SCons.Script import Action

from torpor.board import Board
from torpor.errors import ModelError, UsageError, unknown_name
from torpor_build.options import Options
from torpor_build.place import ours

if TYPE_CHECKING:  # they import NumPy, which takes as long as all the rest of a build of nothing
    from torpor.model.description import Description
    from torpor.model.wake import Wake

SENSORS = ("motion", "sound")
TICKS_Q16 = 1 << 16
_LEVELS = ("on", "off", "debounce", "hold")
_MULTIPLIER_BITS, _SHIFT_MAX = 15, 24


def objects(made: Any, sensor: str) -> list[Any]:
    """Compile what the wake loop consists of; `made` is a steps.Objects."""
    own = made.folders(f"app/wake/{sensor}")
    return [*own, *made.sound()] if sensor == "sound" else own


def source(env: Any, options: Options, plan: Any, target: str) -> Any:
    """Declare wake.c, the definition that app/wake/config.h declares.

    Args:
        env: of the build.
        options: of the user.
        plan: a node, plan.bin.
        target: the file.
    """
    step = Action(_write, "  write   $TARGET", varlist=["ALWAYS"])
    toml = env.fs.File(str(options.model / "model.toml"))
    node = env.Command(target, [plan, toml], step, WAKE_BOARD=options.board, ALWAYS=options.always)
    env.Depends(node, [ours("site_scons/torpor_build/wake.py"), ours("host/torpor/model/wake.py")])
    env.Depends(node, ours(f"boards/{options.board.name}/board.toml"))
    return node[0]


def described(options: Options) -> dict[str, Any]:
    """Return the table [wake] of the model that is built in; wake.c is made of it later.

    Raises:
        UsageError: it has none.
    """
    file = options.model / "model.toml"
    table = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if "wake" not in table:
        raise UsageError(
            f"app={options.app.name}: the model '{options.model.name}' does not say when to wake",
            "it needs the table [wake] in its model.toml, as models/motion has it",
        )
    wake: dict[str, Any] = table["wake"]
    if wake.get("sensor") not in SENSORS:
        raise unknown_name("sensor", str(wake.get("sensor")), SENSORS)
    return wake


def keeps_inputs(wake: dict[str, Any]) -> bool:
    """Return whether an input must survive its inference: it may be worth keeping."""
    samples = wake.get("samples", {})
    return bool(samples.get("percent") or samples.get("low"))


def _write(target: list[Any], source: list[Any], env: Any) -> None:
    from torpor.model import load_model  # noqa: PLC0415 - not needed where nothing is to do
    from torpor.plan.reader import Plan  # noqa: PLC0415

    plan = Plan.parse(Path(str(source[0])).read_bytes())
    folder = Path(str(source[1])).parent
    text = config_source(
        load_model(folder.name, folder.parent).about, plan, env["WAKE_BOARD"], always=env["ALWAYS"]
    )
    Path(str(target[0])).write_text(text, encoding="utf-8")


def config_source(model: "Description", plan: Any, board: Board, *, always: bool) -> str:
    """Return the text of wake.c.

    Args:
        model: with a [wake].
        plan: the compiled model.
        board: it runs on.
        always: infer all the time.

    Raises:
        ModelError: [wake] contradicts the model.
    """
    wake = model.wake
    assert wake is not None
    _check(wake, model, plan)
    rate = model.input.rate_hz if wake.sensor == "motion" else 16000
    shape = [n for n in plan.inputs[0]["dims"][: plan.inputs[0]["rank"]] if n != 1] or [1]
    columns = shape[-1] if wake.sensor == "sound" else len(model.input.axes)
    rows = _product(shape) // columns
    axes = columns if wake.sensor == "motion" else 1
    blocks = rows // wake.block if wake.sensor == "motion" else wake.before + 2 * wake.hop + 2
    codes = "".join(f"            {code},\n" for code in _codes(wake, model, plan.inputs[0]))
    return (
        f"/* Made from models/{model.title!r}'s [wake]. Do not edit. */\n".replace("'", "")
        + '#include "app/wake/config.h"\n\n'
        f"static int16_t history[{blocks * wake.block * axes}];\n\n"
        "const wake_config_t wake_config = {\n"
        f'    .sensor = "{wake.sensor}",\n'
        f"    .always = {str(always).lower()},\n"
        f"    .format = {{.rate_hz = {round(rate)}, .axes = {axes}, .block = {wake.block}}},\n"
        f"    .duty = {_duty(wake, plan.labels, wake.block / rate, always=always)},\n"
        f"    .rows = {rows},\n    .columns = {columns},\n"
        f"    .first = {wake.gate.channels[0]},\n    .last = {wake.gate.channels[1]},\n"
        f"    .before = {wake.before},\n"
        f"    .interval_ms = {wake.interval_s * 1000},\n"
        f"    .sampler = {_sampler(wake)},\n    .raw = {str(wake.samples.raw).lower()},\n"
        f"    .store = {_store(board)},\n"
        f"    .history = history,\n    .history_blocks = {blocks},\n"
        f"    .codes =\n        {{\n{codes}        }},\n}};\n"
    )


def _product(numbers: Sequence[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def _check(wake: "Wake", model: "Description", plan: Any) -> None:
    where = f"model '{model.title}', [wake]"
    if wake.sensor not in SENSORS:
        raise unknown_name("sensor", wake.sensor, SENSORS)
    output = plan.outputs[0]
    for message, holds in {
        "the model has more than one input": len(plan.inputs) == 1,
        "the scores of the model are not 256ths": abs(output["scale"] - 1 / 256) < 1e-6,
        "the window is not a whole number of blocks": wake.sensor == "sound"
        or model.input.shape[0] % wake.block == 0,
        "a sound block is not a multiple of 160 samples": wake.sensor == "motion"
        or wake.block % 160 == 0,
        "'trigger.off' is above 'trigger.on'": wake.trigger.off <= wake.trigger.on,
        "'trigger.still' is above 'trigger.above', or that above 15": 0
        <= wake.trigger.still
        <= wake.trigger.above
        <= 15,
        "'gate.low' is above 'gate.high'": wake.gate.low <= wake.gate.high,
        "'decision.smoothing' is neither mean nor majority": wake.decision.smoothing
        in ("mean", "majority"),
        "'decision.windows' is not 1 to 16": 1 <= wake.decision.windows <= 16,
        "'policy.slow_percent' is not 20 to 40": 20 <= wake.policy.slow_percent <= 40,
        "'hop' or 'block' is 0": wake.hop > 0 and wake.block > 0,
    }.items():
        if not holds:
            raise ModelError(f"{where}: {message}")


def _label(labels: Sequence[str], name: str) -> int:
    if name not in labels:
        raise unknown_name("label in [wake]", name, labels)
    return labels.index(name)


def _duty(wake: "Wake", labels: Sequence[str], block_s: float, *, always: bool) -> str:
    decision = wake.decision
    ignored = sum(1 << _label(labels, name) for name in decision.ignored)
    fields = {
        "trigger": _trigger(wake, fixed=always),
        "gate": f"{{.low = {wake.gate.low}, .high = {wake.gate.high}}}",
        "smooth": (
            f"{{.kind = SMOOTH_{decision.smoothing.upper()}, .windows = {decision.windows}, "
            f".cutoff = {round(decision.cutoff * 255)}, .ignored = {ignored:#x}, "
            f".refractory_ms = {decision.refractory_ms}, .expiry_ms = {decision.expiry_s * 1000}}}"
        ),
        "policy": _policy(wake),
        "block_ms_q16": round(block_s * 1000 * TICKS_Q16),
        "hop": wake.hop,
        "tail": wake.tail,
        "longest": 0 if always else wake.longest,
        "timer_ms": round(wake.trigger.every_s * 1000),
        "timer_windows": wake.trigger.windows,
        "deadline_ms": decision.deadline_ms,
        "fallback": _label(labels, decision.fallback),
        "latch": str(wake.latch).lower(),
    }
    return _struct(fields)


def _trigger(wake: "Wake", *, fixed: bool) -> str:
    """Return the trigger; one that is always open has fixed thresholds."""
    trigger = wake.trigger
    fields = {name: getattr(trigger, name) for name in _LEVELS}
    above, still = (0.0, 0.0) if fixed else (trigger.above, trigger.still)
    return _struct(fields | {"above": round(above * 16), "still": round(still * 16)})


def _struct(fields: dict[str, Any]) -> str:
    """Return an initialiser of C."""
    return "{" + ", ".join(f".{name} = {value}" for name, value in fields.items()) + "}"


def _policy(wake: "Wake") -> str:
    policy = wake.policy
    hot = ", ".join(str(round(value * 10)) for value in policy.hot)
    low = ", ".join(str(round(value * 10)) for value in policy.low)
    return (
        f"{{.hot = {{{hot}}}, .hot_hysteresis = {round(policy.hot_hysteresis * 10)}, "
        f".low = {{{low}}}, .low_hysteresis = {round(policy.low_hysteresis * 10)}, "
        f".slow_percent = {policy.slow_percent}}}"
    )


def _sampler(wake: "Wake") -> str:
    samples = wake.samples
    return (
        f"{{.permille = {round(samples.percent * 10)}, .low = {round(samples.low * 255)}, "
        f".every = {samples.every}}}"
    )


def _store(board: Board) -> str:
    if board.samples is None or board.flash is None:
        return "{.size = 0}"
    return (
        f"{{.offset = {board.samples.offset:#x}, .size = {board.samples.size:#x}, "
        f".erase_size = {board.flash.erase_size}, .write_size = {board.flash.write_size}}}"
    )


def _codes(wake: "Wake", model: "Description", io: dict[str, Any]) -> list[str]:
    """Rules from numbers to codes, one per axis, as initialisers of wake_code_t."""
    scale, zero = io["scale"], io["zero_point"]
    if wake.sensor == "sound":
        from torpor.features import code_rule  # noqa: PLC0415 - for sound only

        multiplier, shift, zero = code_rule(scale, zero)
        return [_rule(multiplier, shift, zero, -128, 127)]
    if len(wake.counts) != len(model.input.axes):
        raise ModelError(f"model '{model.title}': 'wake.counts' is not one per axis")
    limit = round(model.input.limit / scale)
    low, high = max(zero - limit, -128), min(zero + limit, 127)
    rules = []
    for counts, raw in zip(wake.counts, model.input.scale, strict=True):
        multiplier, shift = _fixed(1 / (counts * raw * scale))
        rules.append(_rule(multiplier, shift, zero, low, high))
    return rules


def _fixed(factor: float) -> tuple[int, int]:
    """Return (multiplier, shift) with multiplier / 2^shift next to `factor`."""
    shift = _SHIFT_MAX
    while shift > 1 and round(factor * (1 << shift)) >= 1 << _MULTIPLIER_BITS:
        shift -= 1
    return round(factor * (1 << shift)), shift


def _rule(multiplier: int, shift: int, zero: int, low: int, high: int) -> str:
    return (
        f"{{.multiplier = {multiplier}, .shift = {shift}, .zero_point = {zero}, "
        f".low = {low}, .high = {high}}}"
    )

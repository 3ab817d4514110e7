# SPDX-License-Identifier: Apache-2.0
"""The plugin that counts instructions: what it tells, and that the board's timer agrees."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.emulated.conftest import built
from torpor import bench, emulate
from torpor.board import Board, board_names, load_board
from torpor.emulate import counting
from torpor.emulate.counting import Call, Cost, Counter
from torpor.errors import DeviceError
from torpor.link import DeviceClient

CLOCK = 150  # instructions: the clock is read twice, its interrupt may come
TICK = 100  # instructions of one tick of riscv_virt, the longest


def qemu_boards() -> list[str]:
    boards = [load_board(name) for name in board_names()]
    return [b.name for b in boards if b.emulator and b.emulator.kind == "qemu"]


@pytest.fixture(params=qemu_boards())
def board(request: pytest.FixtureRequest) -> Board:
    facts = load_board(request.param)
    assert facts.emulator
    if not shutil.which(facts.emulator.program):
        pytest.skip(f"{facts.emulator.program} is not installed")
    if reason := counting.unavailable(facts.emulator.program):
        pytest.skip(reason)
    return facts


@pytest.mark.emulated
@pytest.mark.xdist_group("bench")
def test_the_count_is_that_of_the_timer_without_the_clock_and_interrupts(board: Board) -> None:
    made = built(board.name, 8)
    with Counter(made.elf) as counter, emulate.start(board, made.elf, counter.arguments) as device:
        client = DeviceClient(device.transport, timeout=20)
        hello = client.hello()
        answers = [client.infer(i, [bytes(hello.input_bytes)]) for i in range(2)]
        timed = [device.instructions(answer.ticks, hello.timer_hz) for answer in answers]
        calls = counter.calls()
    assert [call.entry for call in calls] == ["infer_check", "infer_init", *["infer_invoke"] * 2]
    assert calls[2] == calls[3]  # the same input: the same work, to the instruction
    counted = calls[2].total.instructions
    assert all(t is not None and -TICK < t - counted < CLOCK + TICK for t in timed), timed
    assert len(calls[2].ops) == 6
    assert sum(op.instructions for op in calls[2].ops) == counted


def test_what_the_plugin_writes_is_read_with_the_walk_in_its_place() -> None:
    text = "infer_init 0\n7 2 1\ninfer_invoke 2\n1 10 100\n20 200 2000\n3 4 5\n"
    init, invoke = counting.parse(text)
    assert init == Call("infer_init", (), Cost(7, 2, 1))
    assert invoke.ops == (Cost(21, 210, 2100), Cost(3, 4, 5))
    assert invoke.total == Cost(24, 214, 2105)


def test_the_last_call_of_an_entry_is_found_and_a_missing_one_is_an_error() -> None:
    calls = list(counting.parse("infer_init 0\n1 0 0\ninfer_init 0\n2 0 0\n"))
    assert counting.last(calls, "infer_init").total == Cost(2)
    with pytest.raises(DeviceError, match=r"saw no call of infer_invoke\(\)"):
        counting.last(calls, "infer_invoke")


def test_a_program_that_takes_no_plugin_says_why() -> None:
    assert "no-such-emulator does not take plugins" in counting.unavailable("no-such-emulator")
    assert counting.unavailable("false") == "false does not take plugins: exit status 1"


@pytest.mark.emulated
@pytest.mark.parametrize("line", ["walk 10", "nothing 0 10", "walk", "enter f x"])
def test_the_plugin_refuses_a_map_that_it_does_not_understand(line: str, tmp_path: Path) -> None:
    program = "qemu-system-arm"
    if counting.unavailable(program):
        pytest.skip(counting.unavailable(program))
    (tmp_path / "map").write_text(f"count 0 10\n{line}\n")
    words = f"{counting.plugin()},map={tmp_path / 'map'},out={tmp_path / 'out'}"
    done = subprocess.run(
        [program, "-M", "none", "-display", "none", "-S", "-plugin", words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert "counter: " in done.stderr


MAP = """\
Linker script and memory map
 .text.session_handle
                0x00000100       0x20 build/b/obj/app/session.o
 .text.isr      0x00000120       0x10 build/b/obj/port/cortexm/systick.o
 .text.check    0x00000130       0x10 build/b/obj/infer/check.o
 .text.infer_invoke
                0x00000140       0x20 build/b/obj/infer/infer.o
 .text.run      0x00000160       0x20 build/b/obj/infer/kernels/dsp/conv_2d_s8.o
 .text.memcpy   0x00000180        0x8 /usr/lib/libc.a(memcpy.o)
 .rodata.table  0x00000190        0x8 build/b/obj/infer/check.o
"""


def test_the_map_tells_caller_walk_kernels_and_what_is_not_counted(tmp_path: Path) -> None:
    source, elf = tmp_path / "a.c", tmp_path / "a.elf"
    source.write_text("void infer_invoke(void) {}\nint main(void) { return 0; }\n")
    subprocess.run(["gcc", str(source), "-o", str(elf)], check=True)
    elf.with_suffix(".map").write_text(MAP)
    enter, *rest = counting.region_lines(elf).splitlines()
    assert enter.startswith("enter infer_invoke ")
    assert rest == [
        *("leave 100 120", "count 130 140", "walk 140 160", "kernel 160 180", "count 180 188")
    ]


def test_a_folder_with_a_comma_is_no_end_of_the_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elf = tmp_path / "a.elf"
    subprocess.run(["gcc", "-xc", "-", "-o", str(elf)], input=b"int main(){return 0;}", check=True)
    elf.with_suffix(".map").write_text(MAP)
    (tmp_path / "a,b").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "a,b"))
    with Counter(elf) as counter:
        assert "a,,b" in counter.arguments[1]
        assert counter.calls() == []
    assert list((tmp_path / "a,b").iterdir()) == []


@pytest.mark.emulated
@pytest.mark.xdist_group("bench")
def test_without_the_plugin_the_timer_counts_and_the_rest_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = load_board("mps2_an386")
    subject = bench.Subject("motion-int8", "motion", 8)
    exact = bench.measure(subject, board, 1)
    monkeypatch.setattr(counting, "unavailable", lambda _program: "plugins are switched off")
    assert bench.why_not_exact(board) == "plugins are switched off"
    timed = bench.measure(subject, board, 1)
    assert exact.insn is not None and timed.insn is not None
    assert 0 < timed.insn - exact.insn < CLOCK
    unknown = (timed.init_insn, timed.loaded_bytes, timed.stored_bytes, timed.ops)
    assert unknown == (None, None, None, ())
    assert timed.byte_equal
    assert timed.stack_bytes == exact.stack_bytes


# ---- programs whose costs are counted by hand

CALLER = """
.word 0x20001000, start
start: ldr r0, =0xE000ED88
ldr r1, =0xF00000
str r1, [r0]
isb
ldr r0, =ADDRESS
bl infer_check
bl infer_init
bl infer_invoke
bl infer_invoke
movs r0, #0x18
ldr r1, =0x20026
bkpt 0xab
"""
WALK = """
infer_check: nop
nop
bx lr
infer_init: bx lr
infer_invoke: push {r4, lr}
bl first
bl second
pop {r4, pc}
"""
KERNELS = """
first: ldr r3, =0x12345678
ldm r0, {r1, r2, r3, r4}
ldrd r1, r2, [r0]
strb r1, [r0]
strh r2, [r0]
bx lr
second: mov r12, lr
movs r1, #10
.Lagain: ldrb r2, [r0]
bl library
subs r1, #1
bne .Lagain
mov pc, r12
"""
KERNEL_COSTS = (Cost(6, 4 + 16 + 8, 1 + 2), Cost(2 + 10 * 5 + 1, 10, 0))
HELIUM = """
first: vldrb.u8 q0, [r0]
vldrb.u32 q1, [r0]
vstrw.32 q0, [r0]
vld40.8 {q0, q1, q2, q3}, [r0]
bx lr
second: mov r12, lr
movs r1, #20
dlstp.8 lr, r1
.Lagain: vldrb.u8 q0, [r0]
letp lr, .Lagain
mov pc, r12
"""
HELIUM_COSTS = (Cost(5, 16 + 4 + 16, 16), Cost(3 + 2 * 2 + 1, 20, 0))  # 20 bytes: two rounds
LIBRARY = """
library: bx lr
"""


def assemble(folder: Path, name: str, text: str, core: str) -> str:
    """Assemble functions; every label but those with a dot is one."""
    path = folder / "obj" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = re.findall(r"^(\w+):", text, re.M)
    kinds = "".join(f".global {n}\n.type {n}, %function\n.thumb_func\n" for n in labels)
    source = f".syntax unified\n.thumb\n.text\n{kinds}{text}\n.ltorg\n.balign 4\n"
    command = ["arm-none-eabi-gcc", f"-mcpu={core}", "-xassembler", "-", "-c", "-o", str(path)]
    subprocess.run(command, input=source.encode(), check=True)
    return str(path)


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("chip", "kernels", "costs"),
    [
        (("mps2-an386", "cortex-m4", "0x20000104"), KERNELS, KERNEL_COSTS),
        (("mps3-an547", "cortex-m55", "0x30000104"), HELIUM, HELIUM_COSTS),
    ],
    ids=["words and pairs", "vectors"],
)
def test_instructions_and_bytes_are_those_counted_by_hand(
    tmp_path: Path, chip: tuple[str, str, str], kernels: str, costs: tuple[Cost, Cost]
) -> None:
    machine, core, ram = chip
    if counting.unavailable("qemu-system-arm"):
        pytest.skip(counting.unavailable("qemu-system-arm"))
    parts = {
        "app/session.o": CALLER.replace("0x20001000", f"{ram[:-3]}800").replace("ADDRESS", ram),
        "infer/infer.o": WALK,
        "infer/kernels/k.o": kernels,
        "infer/ops/library.o": LIBRARY,
    }
    objects = [assemble(tmp_path, name, text, core) for name, text in parts.items()]
    elf = tmp_path / "a.elf"
    link = ["-nostdlib", "-Ttext=0", f"-Wl,-Map={tmp_path / 'a.map'},-e,start", "-o", str(elf)]
    subprocess.run(["arm-none-eabi-gcc", f"-mcpu={core}", *objects, *link], check=True)
    with Counter(elf) as counter:
        words = ["-M", machine, "-kernel", str(elf), "-semihosting", "-display", "none"]
        command = ["qemu-system-arm", *words, *counter.arguments, "-monitor", "none"]
        subprocess.run(command, check=True, timeout=20, stdin=subprocess.DEVNULL)
        calls = counter.calls()
    first = costs[0] + Cost(3, 0, 8)  # the walk: push, and a branch to it and one from it
    second = costs[1] + Cost(1, 8, 0)  # pop
    invoke = Call("infer_invoke", (first, second), first + second)
    start = [Call("infer_check", (), Cost(3)), Call("infer_init", (), Cost(1))]
    assert calls == [*start, invoke, invoke]

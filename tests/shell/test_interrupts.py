"""Ctrl-C outside of an event loop."""

from tests.shell.fleet_commands import process

HIT = """
import os, signal
from reconciler.shell.interrupts import asking, end_at_once
end_at_once()
def hit():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException as seen:
        print("an exception:", type(seen).__name__, flush=True)
"""


def test_ctrl_c_ends_a_command_and_is_an_exception_to_nobody():
    done = process(code=f"{HIT}\nhit()\nprint('went on')")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\ninterrupted\n")


def test_ctrl_c_after_an_event_loop_is_the_same_as_before_it():
    done = process(
        code=f"{HIT}\nfrom reconciler.shell.session import run\nasync def work(stop): return 'worked'\nprint(run(work), flush=True)\nhit()"
    )
    assert (done.returncode, done.stdout) == (130, "worked\n")


def test_ctrl_c_in_an_event_loop_asks_the_work_to_stop():
    work = "async def work(stop):\n    hit()\n    await stop.wait()\n    return stop.reason\n"
    done = process(code=f"{HIT}\nfrom reconciler.shell.session import run\n{work}print(run(work))")
    assert (done.returncode, done.stdout) == (0, "interrupted\n")


def test_ctrl_c_at_a_question_is_an_exception_so_that_the_terminal_is_put_back():
    done = process(code=f"{HIT}\nwith asking():\n    hit()\nhit()")
    assert (done.returncode, done.stdout) == (130, "an exception: KeyboardInterrupt\n")


def test_the_fleet_script_ends_so_from_its_first_step_on():
    code = """
import os, signal, sys
from pipelines import main
class Late:
    def find_spec(self, name, path=None, target=None):
        if name == "reconciler.shell.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Late())
main.main()
"""
    assert process(code=code).returncode == 130

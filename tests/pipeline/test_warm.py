"""Stages that are forked are executed as the local runner's own command would execute them."""

import json
import os
import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def python():
    """Runs a program in an interpreter of its own; returns its output."""

    def run(program, **environment):
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | environment,
        ).stdout

    return run


COMPONENT = """
import os

def stage(number: int) -> str:
    print("number", number, os.environ["GIVEN"])
    if number == 13:
        raise SystemExit("no luck")
    return "fine"
"""


def test_a_component_is_executed_with_its_arguments_and_environment(python, tmp_path):
    output = python(
        f"""
        import json
        from kfp.local import subprocess_task_handler as handler
        from pipelines.warm import start_stages_warm

        start_stages_warm()
        for number in (7, 13):
            outputs = {{"outputFile": "{tmp_path}/" + str(number) + ".json"}}
            executor_input = {{"inputs": {{"parameterValues": {{"number": number}}}}, "outputs": outputs}}
            arguments = ["--executor_input", json.dumps(executor_input), "--function_to_execute", "stage"]
            command = ["sh", "-ec", "python3 -m kfp.dsl.executor_main", {COMPONENT!r}, *arguments]
            print("exit code", handler.run_local_subprocess(command, env_vars={{"GIVEN": "value"}}), flush=True)
        """
    )
    said = [line for line in output.splitlines() if line.startswith(("number", "exit"))]
    assert said == ["number 7 value", "exit code 0", "number 13 value", "exit code 1"]
    assert json.loads((tmp_path / "7.json").read_text()) == {"parameterValues": {"Output": "fine"}}
    assert not (tmp_path / "13.json").exists()


def test_a_stage_holds_the_lock_of_its_run(python, tmp_path):
    program = """
        import os

        def stage(number: int) -> str:
            opened = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
            print("holds", sum(path.endswith("/.lock") for path in opened))
            return "fine"
    """
    output = python(
        f"""
        import json
        from kfp.local import subprocess_task_handler as handler
        from pipelines.warm import start_stages_warm

        with open("{tmp_path}/.lock", "w") as lock:
            start_stages_warm(lock.fileno())
            outputs = {{"outputFile": "{tmp_path}/out.json"}}
            executor_input = {{"inputs": {{"parameterValues": {{"number": 1}}}}, "outputs": outputs}}
            arguments = ["--executor_input", json.dumps(executor_input), "--function_to_execute", "stage"]
            source = {textwrap.dedent(program)!r}
            handler.run_local_subprocess(["sh", "-ec", "python3 -m kfp.dsl.executor_main", source, *arguments])
        """
    )
    assert "holds 1" in output


def test_other_commands_go_the_runners_own_way_in_this_environment(python):
    output = python(
        """
        from kfp.local import subprocess_task_handler as handler
        from pipelines.orchestrator import use_this_python
        from pipelines.warm import start_stages_warm

        use_this_python()
        start_stages_warm()
        command = handler.replace_python_executable(["python3", "-c", "import sys; print(sys.prefix)"], "python3")
        print("exit code", handler.run_local_subprocess(command))
        """,
        PATH=os.defpath,
    )
    assert output.split() == [sys.prefix, "exit", "code", "0"]

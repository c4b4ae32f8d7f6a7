"""What every entry point shares: arguments, configuration, seed, objects, run folder, report.

An entry point is ``main = entry_point("train", "module:function")`` with a function of ``cfg``.
Hydra composes the configuration; here the command line becomes forgiving (paths need no quoting),
the run to resume is found, and errors meant for people are one sentence and exit code 2.
"""

import io
import logging
import os
import pkgutil
import re
import signal
import sys
import tempfile
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# OpenMP threads spin while they wait, which starves every other process on a small machine.
# Has to be set before torch is imported; the environment overrides it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from har.errors import HarError
from har.numbers import check_numbers
from har.paths import exists, is_file, is_folder
from har.runs.config import config_dir, har_error_behind

log = logging.getLogger(__name__)

# Values of these keys are file names: Hydra would trip over `=`, `(`, `,` or non-ASCII letters.
_PATH_KEYS = (
    *("weights", "ckpt_path", "source", "out", "boxes", "detector_weights", "images", "category"),
    *("annotations", "val_annotations", "test_annotations", "data.group_by"),
)
_PATH_ENDINGS = ("_path", "_dir", ".dir")
_REFERENCE = re.compile(r"\$\{(oc\.|now:|hydra:|paths\.|name\}|seed\})")
_LAST = ("ckpt_path=last", "ckpt_path='last'")
_NO_CHOICE = {"callbacks=null": "callbacks=none", "logger=null": "logger=none"}
_CHECKPOINT = {
    "callbacks.checkpoint.every_n_steps": "callbacks.last.every_n_train_steps",
    "callbacks.checkpoint": "callbacks.last",
}
# Names of 0.1.0 in the keys of a command ("": of all), and what they are called now.
_RENAMED = {
    "": {"colour_powers": "gammas"},
    "predict": {"box": "finder"},
    "prepare": {"ntu.reach": "ntu.margin"},
    "train": _CHECKPOINT,
    "evaluate": _CHECKPOINT,
}


def help_text(config_name: str) -> str:
    """What ``--help`` prints: how the command is typed, its keys with what they mean, and what can
    be chosen. All of it stands in the configuration files."""
    usage, keys = _usage_and_keys(config_name)
    choices = []
    for group in _groups(config_name):
        names = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
        line = f"  {group}: {', '.join(names)}"
        choices.append(textwrap.fill(line, 80, subsequent_indent=" " * (len(group) + 4)))
    parts = [usage, f"Keys, as key=value:\n\n{keys}"]
    if choices:
        parts.append("What can be chosen, as group=name:\n\n" + "\n".join(choices))
    whole = "--cfg job shows the whole configuration that a command line makes."
    return "\n\n".join([*parts, whole])


def _usage_and_keys(config_name: str) -> tuple[str, str]:
    """The comment on top of a configuration file, and what follows its list of defaults; the keys
    of the files that it includes come first."""
    text = (config_dir() / f"{config_name}.yaml").read_text(encoding="utf-8")
    comment, _, rest = text.partition("defaults:\n")
    usage = "\n".join(line.removeprefix("#").removeprefix(" ") for line in comment.splitlines())
    keys = [re.sub(r"\A(?: .*\n)*", "", rest).strip()]
    for included in reversed(_defaults(config_name)):
        if isinstance(included, str) and included != "_self_":
            keys.insert(0, _usage_and_keys(included)[1])
    return usage.strip(), "\n".join(keys)


def _defaults(config_name: str) -> list[Any]:
    config: Any = OmegaConf.load(config_dir() / f"{config_name}.yaml")
    return config.get("defaults", [])


def _groups(config_name: str) -> list[str]:
    """The groups from which a configuration is composed, those of files that it includes too."""
    names: list[str] = []
    for entry in _defaults(config_name):
        if isinstance(entry, str):
            names += [] if entry == "_self_" else _groups(entry)
        else:
            given = [str(n) for n in entry if not str(n).startswith(("optional ", "override "))]
            groups = [name.partition("@")[0] for name in given]
            names += [name for name in groups if name not in ("paths", "hydra", "display")]
    return list(dict.fromkeys(names))


def quote_argument(argument: str) -> str:
    """``key=value`` in Hydra's grammar, whatever characters a path value has."""
    key, separator, value = argument.partition("=")
    name = key.lstrip("+~")
    is_path = name in _PATH_KEYS or name.endswith(_PATH_ENDINGS) or name.startswith("paths.")
    if not separator or not is_path or value in ("", "null") or _is_quoted(value):
        return argument
    # A reference of a configuration stays one; any other dollar sign is part of a name.
    if exists(value) or not _REFERENCE.search(value):
        value = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    # In Hydra's quotes a backslash is special only in front of a quote.
    escaped = re.sub(r"(\\+)$", r"\1\1", re.sub(r"(\\*)'", r"\1\1\\'", value))
    return f"{key}='{escaped}'"


def _is_quoted(value: str) -> bool:
    """Whether a value stands in quotes already, and is no name that begins and ends with one."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return quoted and not exists(value)


def rewrite_arguments(arguments: Sequence[str], has_task: bool = False) -> list[str]:
    """Command-line words as Hydra wants them: first bare word to ``task=``, paths quoted."""
    words = list(arguments)
    if has_task and words and not words[0].startswith("-") and "=" not in words[0]:
        words[0] = f"task={words[0]}"
    words = [_NO_CHOICE.get(word, word) for word in words]
    return [word if word.startswith("-") else quote_argument(word) for word in words]


def take_config(words: Sequence[str]) -> tuple[list[str], Path | None]:
    """Command-line words without ``config=<run folder or its config.yaml>``, and that file.

    Raises:
        HarError: there is none.
    """
    given = [word.partition("=")[2] for word in words if word.startswith("config=")]
    if not given:
        return list(words), None
    path = Path(given[-1])
    path = path / "config.yaml" if is_folder(path) else path
    if path.suffix != ".yaml" or not is_file(path):
        raise HarError(f"config={given[-1]}: give the folder of a run, or its config.yaml.")
    return [word for word in words if not word.startswith("config=")], path.resolve()


def name_run(words: Sequence[str], default: str) -> list[str]:
    """Names a run after its experiment, in words: while Hydra names the folder of a sweep, the
    experiment is not known to the configuration."""
    if any(word.startswith(("name=", "--config-name", "-cn")) for word in words):
        return list(words)
    chosen = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    name = chosen[-1] if chosen and chosen[-1] != "null" else default
    return add_override(words, f"name={name if re.fullmatch('[A-Za-z0-9_-]+', name) else 'sweep'}")


def refuse_old_keys(config_name: str, words: Sequence[str]) -> None:
    """Refuses keys of version 0.1.0 that have another name now.

    Raises:
        HarError: names the new key.
    """
    for key in (word.partition("=")[0].lstrip("+~") for word in words):
        for old, new in (_RENAMED[""] | _RENAMED.get(config_name, {})).items():
            if f".{old}." in f".{key}.":
                now = f".{key}.".replace(f".{old}.", f".{new}.").strip(".")
                raise HarError(f"{key} of version 0.1.0 is called {now} now.")


def _is_override(word: str) -> bool:
    """Neither one of Hydra's flags nor the value of one, as the second word of `--cfg job`."""
    return word.startswith("~") or ("=" in word and not word.startswith("-"))


def add_override(words: Sequence[str], override: str) -> list[str]:
    """Command-line words and ``key=value`` beside the other overrides: Hydra takes none from both
    sides of a flag."""
    place = next((n for n, word in enumerate(words) if _is_override(word)), len(words))
    return [*words[:place], quote_argument(override), *words[place:]]


def find_last_checkpoint(runs: Path) -> Path:
    """The newest ``last.ckpt`` among the runs of one experiment.

    Raises:
        HarError: no run of this experiment has written a checkpoint.
    """
    found = sorted(runs.glob("*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise HarError(
            f"ckpt_path=last: there is no checkpoint {runs}/*/checkpoints/last.ckpt to go on from; "
            "start the run without ckpt_path first."
        )
    return found[-1]


def _resolve_last(
    config_name: str, words: list[str], resume: bool, config: Path | None
) -> list[str]:
    """Replaces ``ckpt_path=last``; a resumed run goes on in its own folder."""
    if _is_sweep(words) or not any(word in _LAST for word in words):
        return words
    overrides = [word for word in words if _is_override(word)]
    folder, name = (config_dir(), config_name) if config is None else (config.parent, config.stem)
    with hydra.initialize_config_dir(str(folder), version_base="1.3"):
        cfg = hydra.compose(name, overrides)
        checkpoint = find_last_checkpoint(Path(cfg.paths.output_dir) / str(cfg.name))
    words = [word for word in words if not word.startswith("ckpt_path=")]
    words = add_override(words, f"ckpt_path={checkpoint}")
    if resume:
        words = add_override(words, f"hydra.run.dir={checkpoint.parent.parent}")
    return words


def _is_sweep(words: Sequence[str]) -> bool:
    return any(word in ("-m", "--multirun") for word in words)


def _begin_job(cfg: DictConfig) -> DictConfig:
    """One job of a sweep: ``ckpt_path=last`` is the checkpoint in its own folder, and processes
    that it starts get its own words, not those of the sweep.

    Returns:
        The configuration of the job.
    """
    hydra_config: Any = HydraConfig.instance().cfg
    folder = str(hydra_config.hydra.runtime.output_dir)
    with read_write(hydra_config.hydra), open_dict(hydra_config.hydra):
        hydra_config.hydra.run.dir = folder
    words = [word for word in hydra_config.hydra.overrides.task if word not in _LAST]
    if cfg.get("ckpt_path") == "last":
        checkpoint = Path(folder, "checkpoints", "last.ckpt")
        cfg.ckpt_path = str(checkpoint) if checkpoint.is_file() else None
        if cfg.ckpt_path is None:
            log.info("There is no %s: this job of the sweep begins anew.", checkpoint)
        else:
            words.append(quote_argument(f"ckpt_path={checkpoint}"))
    sys.argv[1:] = words
    return cfg


def _end_job(environment: Mapping[str, str]) -> None:
    """Leaves nothing of a job to the next one of the sweep: Lightning takes variables that it has
    set itself, and a group of processes that is there, for those of a cluster."""
    distributed: Any = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
    os.environ.clear()
    os.environ.update(environment)


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does. Processes that are forked from it end at once, and
    behind it the signal means what it meant before."""
    process = os.getpid()

    def end(number: int, _: Any) -> None:
        if os.getpid() == process:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if threading.current_thread() is not threading.main_thread():  # has no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def change_checkpoint(words: Sequence[str]) -> list[str]:
    """``data.length=torso`` of an evaluation without an experiment, as Hydra takes it: it changes
    what the checkpoint states, and the keys of that are not those of the default configuration."""
    if any(word.lstrip("+").startswith("experiment=") for word in words):
        return list(words)
    sections = ("data.", "model.", "module.")
    return [f"++{word}" if word.startswith(sections) else word for word in words]


def _own_folder(words: list[str]) -> list[str]:
    """Under torchrun or SLURM every process starts for itself, and each would make a run folder
    named by its own clock: only the first one's is kept."""
    rank = os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))
    started_alone = "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_PROCID" in os.environ
    if rank == "0" or not started_alone or any("hydra.run.dir=" in word for word in words):
        return words
    return add_override(words, f"hydra.run.dir={tempfile.mkdtemp(prefix='har_process_')}")


def entry_point(
    config_name: str,
    run: str,
    *,
    has_task: bool = False,
    resume: bool = False,
    name: str | None = None,
) -> Callable[[], None]:
    """The ``main`` of a command.

    Args:
        config_name: the top configuration file, without ``.yaml``.
        run: what to do with the composed configuration, as ``"module:function"``: it is imported
            only when it runs, so that ``--help`` does not wait for torch.
        has_task: the first word of the command line names a task (``prepare ntu``).
        resume: with ``ckpt_path=last`` the command goes on in the folder of that run.
        name: of a run without an experiment, for commands that have any. They can also be made
            from the ``config.yaml`` of another run (``config=``).
    """

    def guarded(cfg: DictConfig) -> Any:
        sweep = HydraConfig.get().mode == RunMode.MULTIRUN
        words, environment = list(sys.argv), dict(os.environ)
        try:
            if sweep:
                cfg = _begin_job(cfg)
            check_numbers(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
            return pkgutil.resolve_name(run)(cfg)
        except (HarError, OmegaConfBaseException) as error:
            if sweep:  # it ends this job alone
                log.error("This job of the sweep has failed: %s", _sentence(error))
                raise
            _fail(error, show_trace=bool(cfg.get("trace", False)))
        except Exception as error:  # a job's mistake of any kind; Hydra goes on and shows it last
            if sweep:
                log.error("This job of the sweep has failed: %r", error)
            raise
        finally:
            if sweep:
                sys.argv[:] = words
                _end_job(environment)

    def command() -> None:
        if {"--help", "-h"} & set(sys.argv[1:]):
            print(help_text(config_name))
            return
        words, config = take_config(sys.argv[1:])
        words = rewrite_arguments(words, has_task)
        refuse_old_keys(config_name, words)
        if config_name == "evaluate" and config is None:
            words = change_checkpoint(words)
        if name is not None and config is None:
            words = name_run(words, name)
        words = _own_folder(_resolve_last(config_name, words, resume, config))
        if config is not None:
            if not any(word.startswith("ckpt_path=") for word in words):
                words = add_override(words, "ckpt_path=null")
            place = ["--config-dir", str(config.parent), "--config-name", config.stem]
            words = [*place, *words, "+hydra=default"]
        sys.argv[1:] = words
        decorate = hydra.main(
            config_path=str(config_dir()), config_name=config_name, version_base="1.3"
        )
        # Hydra names the job after the function's file: the command is meant, not this file.
        guarded.__name__ = config_name
        decorate(guarded)()

    def main() -> None:
        # Without this Hydra would print errors itself, several lines of them, and exit with 1.
        os.environ["HYDRA_FULL_ERROR"] = "1"
        for stream in (sys.stdout, sys.stderr):  # names that are no text are shown all the same
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            with sigterm_as_interrupt():
                command()
        except (HarError, HydraException, OmegaConfBaseException) as error:
            _fail(error, show_trace=False)
        except KeyboardInterrupt:
            print("har: interrupted; what was finished is kept.", file=sys.stderr)
            raise SystemExit(130) from None

    return main


def _fail(error: Exception, *, show_trace: bool) -> None:
    if show_trace:
        traceback.print_exc()
    print(f"har: {_sentence(error)}", file=sys.stderr)
    raise SystemExit(2)


def _sentence(error: Exception) -> str:
    sentence = str(har_error_behind(error) or error).split("Config search path")[0]
    if "Original Traceback" in sentence:  # raised in a loader process: its last line says what
        sentence = sentence.strip().splitlines()[-1].partition(": ")[2]
    return " ".join(sentence.split())

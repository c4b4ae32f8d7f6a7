"""``python -m har.app``: serves the page until Ctrl-C."""

import logging
import os
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from har.errors import HarError


def serve(cfg: DictConfig) -> None:
    """Serves the page on this machine until it is interrupted; then everything that visitors have
    uploaded is removed.

    Raises:
        HarError: gradio is not installed, there is no network, or the address is taken.
    """
    if find_spec("gradio") is None:
        raise HarError(
            "The page needs gradio: pip install 'gradio>=6,<7' (or, in a checkout of har, "
            "pip install -e '.[app]')."
        )
    from har.app.networks import find_networks
    from har.prediction.formats import check_formats

    formats = check_formats(cfg.formats)
    choices = find_networks(cfg.weights, Path(cfg.paths.output_dir))
    # a folder of its own, which ends with the program; gradio reads it when it is imported
    with tempfile.TemporaryDirectory(prefix="har_app_", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder, "uploads"))
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # it would also look for newer versions
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        _serve(cfg, Path(folder, "visitors"), choices, formats)


def _serve(cfg: DictConfig, root: Path, choices: dict[str, str], formats: tuple[str, ...]) -> None:
    from har.app.networks import Detector, Networks
    from har.app.page import build_page
    from har.app.service import Limits, Service
    from har.app.sessions import Sessions

    root.mkdir(parents=True)
    keep_s = 60 * cfg.keep_minutes
    numbers: dict[str, Any] = {
        key: cfg[key] for key in ("refine", "action_every_s", "smooth", "batch_size")
    }
    loading = {key: cfg[key] for key in ("device", "runtime", "fast")}
    logging.getLogger("httpx").setLevel(logging.WARNING)  # gradio asks itself whether it is there
    service = Service(
        Networks(choices, **numbers, **loading),
        Detector(cfg.detector_weights, cfg.device),
        Sessions(root, keep_s),
        Limits(cfg.max_seconds, cfg.max_camera_s),
        formats,
    )
    if len(choices) == 1:  # a mistake in it is found now, not by the first visitor
        service.networks.predictor(next(iter(choices)))
    page = build_page(service, max_waiting=cfg.max_waiting, keep_s=keep_s)
    try:
        _, address, _ = page.launch(
            server_name=cfg.host,
            server_port=cfg.port,
            inbrowser=cfg.open_browser,
            max_file_size=round(cfg.max_file_mb * 2**20),
            allowed_paths=[str(root)],
            share=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            footer_links=[],
            quiet=True,
            prevent_thread_lock=True,
        )
    except OSError as error:
        raise HarError(
            f"The page cannot be served at {cfg.host}, port {cfg.port}: is another program there? "
            "Choose another one, port=<number>."
        ) from error
    print(f"Open {address} in a browser; Ctrl-C ends the page.", flush=True)
    if cfg.host not in ("127.0.0.1", "localhost", "::1"):
        print("Everyone who reaches this machine can use it.", flush=True)
    try:
        while not threading.Event().wait(30):
            service.sessions.end_old()
    except KeyboardInterrupt:  # the way to end it
        print("The page has ended.")
    finally:
        page.close(verbose=False)

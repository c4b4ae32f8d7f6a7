"""The page: its fields, and which function is behind each."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import gradio as gr
import numpy as np

from har.app.results import Result
from har.app.service import ALL, FILE, ONE, Service
from har.app.sessions import Session
from har.errors import HarError
from har.files import Image, read_image

log = logging.getLogger(__name__)

TITLE = "Poses and actions"
_ABOUT = (
    f"# {TITLE}\nGive an image or a video, or use the camera. Everything is computed on the "
    "machine that serves this page; files are removed when the page is closed."
)
_LONGEST_PX = 1280
_NETWORK = "network"  # one queue for all that it computes
_EMPTY = ""


def build_page(service: Service, *, max_waiting: int, keep_s: float) -> gr.Blocks:
    """Builds the page.

    Args:
        service: what it does.
        max_waiting: requests in the queue; more are refused.
        keep_s: seconds after which files that belong to nobody are removed.
    """
    every = max(1, min(60, int(keep_s)))
    choices = list(service.networks.choices)
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(every, int(keep_s))
    ) as page:
        gr.Markdown(_ABOUT)
        with gr.Row():
            with gr.Column(scale=1, min_width=320):
                with gr.Tab("Image or video"):
                    upload = gr.File(label="Image or video")
                    predict = gr.Button("Predict", variant="primary")
                with gr.Tab("Camera"):
                    camera = gr.Image(
                        label="Camera",
                        sources=["webcam"],
                        streaming=True,
                        webcam_options=gr.WebcamOptions(
                            mirror=False, constraints={"video": {"width": 640, "height": 480}}
                        ),
                    )
                    finish = gr.Button("Show the results", variant="primary")
                network = gr.Dropdown(choices, value=choices[0], label="Network")
                places = [ONE, *([ALL] if service.detector.is_here() else []), FILE]
                where = gr.Radio(places, value=ONE, label="Persons")
                boxes = gr.File(label="File of boxes, .csv or .json", visible=False, height=120)
            with gr.Column(scale=2, min_width=320):
                text = gr.Textbox(label="Result", interactive=False, lines=2)
                shown = gr.HTML(_EMPTY)
                timeline = gr.HTML(_EMPTY)
                with gr.Column(visible=False) as panel:
                    track = gr.Dropdown([], label="Person")
                    time_s = gr.Slider(0, 1, step=0.01, label="Time, s")
                    angle = gr.Slider(-180, 180, value=30, step=1, label="Angle of the 3-D view, °")
                    view = gr.HTML(_EMPTY)
                download = gr.HTML(_EMPTY)
        outputs = [text, shown, timeline, panel, track, time_s, view, download]

        def session_of(request: gr.Request) -> Session:
            return service.sessions.of(str(request.session_hash))

        def keep(file: str | None, request: gr.Request, kind: str) -> None:
            """Takes a file that was uploaded into the visitor's folder, or forgets it."""
            taken = None if file is None else session_of(request).take(Path(file), kind)
            setattr(session_of(request), kind, taken)

        def keep_upload(file: str | None, request: gr.Request) -> None:
            keep(file, request, "upload")

        def keep_boxes(file: str | None, request: gr.Request) -> None:
            keep(file, request, "boxes")

        def show(result: Result, angle_deg: float) -> list[Any]:
            track, pictures = _first(result), _pictures(result, _first(result), 0.0, angle_deg)
            several, long = len(result.tracks) > 1, result.duration_s > 0
            return [
                result.text,
                _annotated(result),
                pictures[0],
                gr.update(visible=bool(pictures[1]) or several),
                gr.update(choices=result.tracks, value=track, visible=several),
                gr.update(maximum=max(round(result.duration_s, 2), 0.01), value=0, visible=long),
                pictures[1],
                _link(result.archive()),
            ]

        def nothing(sentence: str) -> list[Any]:
            same = gr.update()
            hidden = gr.update(visible=False)
            return [sentence, _EMPTY, _EMPTY, hidden, same, same, _EMPTY, _EMPTY]

        def on_predict(
            network: str,
            where: str,
            angle_deg: float,
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 (gradio's way to give one)
        ) -> list[Any]:
            def report(done: int, total: int | None) -> None:
                progress((min(done, total or done), total), unit="frames")

            progress(0.0, "Loading the network")
            return _in_a_sentence(
                lambda: show(
                    service.predict(session_of(request), network, where, report), angle_deg
                ),
                nothing,
            )

        def on_finish(angle_deg: float, request: gr.Request) -> list[Any]:
            return _in_a_sentence(
                lambda: show(service.finish_camera(session_of(request)), angle_deg), nothing
            )

        def on_camera(
            image: Image | None, network: str, where: str, request: gr.Request
        ) -> tuple[Any, ...]:
            if image is None:
                return gr.update(), gr.update()
            return _in_a_sentence(
                lambda: (
                    "The camera is on.",
                    _picture(
                        service.camera_frame(session_of(request), image, network, where),
                        "Camera with skeletons",
                    ),
                ),
                lambda sentence: (sentence, gr.update()),
            )

        def on_view(
            track: int | None, time_s: float, angle_deg: float, request: gr.Request
        ) -> tuple[Any, ...]:
            result = session_of(request).result
            if result is None or track is None:
                return gr.update(), gr.update()
            return _pictures(result, int(track), time_s, angle_deg)

        def on_close(request: gr.Request) -> None:
            service.sessions.end(str(request.session_hash))

        private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        queued: dict[str, Any] = {"concurrency_id": _NETWORK, "concurrency_limit": 1}
        for event in (upload.upload, upload.clear):
            event(keep_upload, upload, None, **private)
        for event in (boxes.upload, boxes.clear):
            event(keep_boxes, boxes, None, **private)
        where.change(lambda w: gr.update(visible=w == FILE), where, boxes, **private)
        predict.click(
            on_predict,
            [network, where, angle],
            outputs,
            **{**private, "show_progress": "full"},
            show_progress_on=text,
            **queued,
        )
        finish.click(on_finish, angle, outputs, **private, **queued)
        camera.stream(
            on_camera,
            [camera, network, where],
            [text, shown],
            stream_every=0.1,
            time_limit=max(1, int(service.limits.max_camera_s)),
            **private,
            **queued,
        )
        for event in (track.input, time_s.input, angle.input):
            event(
                on_view,
                [track, time_s, angle],
                [timeline, view],
                trigger_mode="always_last",
                **private,
            )
        page.unload(on_close)
    return page.queue(max_size=max_waiting, api_open=False)


def _in_a_sentence(work: Callable[[], Any], failed: Callable[[str], Any]) -> Any:
    """Whatever goes wrong is a sentence on the page; a mistake of the program is logged too."""
    try:
        return work()
    except HarError as error:
        return failed(" ".join(str(error).split()))
    except Exception as error:  # a visitor gets an answer, whatever it was
        log.exception("The page has failed.")
        return failed(f"This has failed, which is a mistake of the program: {error!r}")


def _first(result: Result) -> int | None:
    return result.tracks[0] if result.tracks else None


def _pictures(
    result: Result, track: int | None, time_s: float, angle_deg: float
) -> tuple[str, str]:
    """The timeline and the 3-D view of a person, empty where there is none."""
    if track is None:
        return _EMPTY, _EMPTY
    strip, pose = result.timeline(track, time_s), result.view_3d(track, time_s, angle_deg)
    return (
        _EMPTY if strip is None else _picture(strip, "Actions over time"),
        _EMPTY if pose is None else _picture(pose, "3-D view", "width: min(100%, 480px)"),
    )


def _annotated(result: Result) -> str:
    if result.video is not None:
        return (
            f'<video controls autoplay muted loop style="width: 100%" src="{_address(result.video)}'
            '"></video>'
        )
    if result.picture is not None:
        return _picture(read_image(result.picture), "Image with skeletons")
    return _EMPTY


def _picture(image: Image, text: str, style: str = "width: 100%") -> str:
    """An image inside the page, so that no file of it is left: JPEG, at most 1280 px."""
    scale = min(1.0, _LONGEST_PX / max(image.shape[:2]))
    if scale < 1:
        size = round(scale * image.shape[1]), round(scale * image.shape[0])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    code = base64.b64encode(data.tobytes()).decode("ascii")
    return f'<img alt="{escape(text)}" style="{style}" src="data:image/jpeg;base64,{code}">'


def _address(path: Path) -> str:
    return f"gradio_api/file={quote(str(path))}"


def _link(archive: Path) -> str:
    return f'<a href="{_address(archive)}" download="results.zip">Download all results</a>'

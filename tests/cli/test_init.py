"""``init`` finds the app and prints a change that applies, compiles and wraps; it changes nothing itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.test_main import run
from tiktok_middleware.cli.init import find_app

FLASK = "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get('/')\ndef home():\n    return 'x'\n"
APPS = [
    ("Flask", "app.py", FLASK, ["from tiktok_middleware.contrib.flask import TikTok", "TikTok(app)"]),
    (
        "Flask",
        "shop/__init__.py",
        (
            "import flask\n\n\ndef create_app():\n    application = flask.Flask(\n        __name__, static_folder='(x'\n    )\n"
            "    return application\n"
        ),
        ["    TikTok(application)\n    return application"],
    ),
    (
        "FastAPI",
        "main.py",
        '"""The shop."""\n\nfrom fastapi import FastAPI\n\napp = FastAPI(title="a (b")\n',
        ["from tiktok_middleware.contrib.fastapi import TikTokMiddleware", "app.add_middleware(TikTokMiddleware)"],
    ),
    (
        "Starlette",
        "app.py",
        "from starlette.applications import Starlette\n\napp: Starlette = Starlette(routes=[\n])\n",
        ["app.add_middleware(TikTokMiddleware)"],
    ),
    (
        "Django",
        "shop/settings.py",
        "DEBUG = True\nMIDDLEWARE = [\n    'django.middleware.common.CommonMiddleware',\n]\n",
        ['MIDDLEWARE = [\n    "tiktok_middleware.contrib.django.TikTokMiddleware",\n    \'django'],
    ),
    ("Quart", "app.py", "from quart import Quart\n\napp = Quart(__name__)\n", ["TikTok(app)"]),
    (
        "Litestar",
        "app.py",
        "from litestar import Litestar\n\napp = Litestar([], debug=True)\n",
        ["Litestar([], debug=True, plugins=[TikTokPlugin()])"],
    ),
    (
        "Litestar",
        "app.py",
        "from litestar import Litestar\n\napp = Litestar(route_handlers=[], plugins=[a])\n",
        ["plugins=[TikTokPlugin(), a]"],
    ),
    (
        "Litestar",
        "app.py",
        "from litestar import Litestar\n\napp = Litestar(\n    route_handlers=[],\n    debug=True,\n)\n",
        ["    route_handlers=[],\n    debug=True,\n    plugins=[TikTokPlugin()],\n)\n"],
    ),
    (
        "Flask",
        "shop/__init__.py",
        "import flask\n\nfrom .db import close\nfrom . import auth\n\napp = flask.Flask(__name__)\n",
        ["import flask\nfrom tiktok_middleware.contrib.flask import TikTok\n\nfrom .db"],
    ),
    ("Falcon", "app.py", "import falcon.asgi\n\napp = falcon.asgi.App()\n", ["app = TikTokMiddleware(app)\n"]),
    (
        "Bottle",
        "app.py",
        "import bottle\n\napp = bottle.Bottle()\n\nif __name__ == '__main__':\n    app.run()\n",
        ["app = TikTokMiddleware(app)\n\n\nif __name__"],
    ),
    (
        "BlackSheep",
        "app.py",
        "from blacksheep import Application\n\napp = Application()\n",
        ["from tiktok_middleware.contrib.blacksheep import TikTokMiddleware", "app = TikTokMiddleware(app)"],
    ),
    (
        "Falcon",
        "shop/app.py",
        (
            "import falcon\n\n\ndef create_app(orders):\n    app: falcon.App = falcon.App(\n        cors_enable=True\n    )\n"
            "    app.add_route('/', orders)\n    return app\n\n\ndef get_app():\n    return create_app([])\n"
        ),
        [
            "from tiktok_middleware.contrib.falcon import TikTokMiddleware",
            "    app.add_route('/', orders)\n    return TikTokMiddleware(app)\n",
        ],
    ),
    ("Sanic", "app.py", "from sanic import Sanic\n\napp = Sanic('shop')\n", ["app = TikTokMiddleware(app)"]),
    (
        "Pyramid",
        "app.py",
        (
            "from pyramid.config import Configurator\n\n\ndef main():\n    config = Configurator()\n"
            "    return config.make_wsgi_app()\n"
        ),
        [
            'config.include("tiktok_middleware.contrib.pyramid")',
            "return TikTokMiddleware(config.make_wsgi_app())",
        ],
    ),
]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(("framework", "name", "text", "added"), APPS, ids=[f"{a[0]} {a[1]}" for a in APPS])
def test_app_is_found_and_its_change_compiles_and_applies(
    framework: str, name: str, text: str, added: list[str], tmp_path: Path
) -> None:
    path = written(tmp_path, name, text)
    plan, reason = find_app(tmp_path)
    assert plan is not None, reason
    assert (plan.framework, plan.path) == (framework, name)
    for lines in added:
        assert lines in plan.after
    compile(plan.after, name, "exec")
    result = run("init", str(tmp_path))
    assert result.exit_code == 0
    assert f"Framework: {framework}" in result.output
    assert "TIKTOK_PIXEL_ID=" in result.output
    assert path.read_text() == text, "init changes nothing"
    diff = run("init", "--diff", str(tmp_path)).output
    applied = subprocess.run(
        ["git", "apply", "-"], cwd=tmp_path, input=diff, text=True, capture_output=True, check=False
    )
    assert applied.returncode == 0, applied.stderr
    assert path.read_text() == plan.after


def test_app_nearest_to_the_root_is_chosen_and_dependencies_are_skipped(tmp_path: Path) -> None:
    written(tmp_path, "examples/deep/app.py", FLASK)
    written(tmp_path, "node_modules/x/app.py", FLASK)
    written(tmp_path, ".venv/lib/app.py", FLASK)
    written(tmp_path, "shop/app.py", FLASK)
    plan, _ = find_app(tmp_path)
    assert plan is not None
    assert plan.path == "shop/app.py"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("print('hello')\n", "no app of a known framework"),
        (
            f"from tiktok_middleware.contrib.flask import TikTok\n{FLASK}\nTikTok(app)\n",
            "uses tiktok_middleware already",
        ),
    ],
)
def test_project_without_an_app_or_with_the_middleware_fails_with_the_reason(
    text: str, reason: str, tmp_path: Path
) -> None:
    written(tmp_path, "app.py", text)
    result = run("init", str(tmp_path))
    assert result.exit_code == 1
    assert reason in result.output


def test_file_that_is_no_text_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xff\xfe\x00 app = Flask(")
    written(tmp_path, "b.py", FLASK)
    plan, _ = find_app(tmp_path)
    assert plan is not None
    assert plan.path == "b.py"


def test_docs_lists_pages_and_prints_one() -> None:
    listed = run("docs")
    assert listed.exit_code == 0
    assert any(line.startswith("reasons ") and "Reason codes" in line for line in listed.output.splitlines())
    printed = run("docs", "reasons.md")
    assert printed.output.startswith("# Reason codes")
    missing = run("docs", "nothing")
    assert missing.exit_code == 1
    assert "the pages are: " in missing.output


@pytest.mark.parametrize(
    ("text", "tracker", "has_secret"),
    [
        (FLASK, "request.tiktok", True),
        ("import falcon\n\napp = falcon.App()\n", "req.context.tiktok", False),
        ("from sanic import Sanic\n\napp = Sanic('shop')\n", "request.ctx.tiktok", False),
        ("import bottle\n\napp = bottle.Bottle()\n", "bottle.request.tiktok", False),
        ("from fastapi import FastAPI\n\napp = FastAPI()\n", "request.tiktok", False),
    ],
)
def test_next_steps_fit_the_framework(text: str, tracker: str, has_secret: bool, tmp_path: Path) -> None:
    written(tmp_path, "app.py", text)
    output = run("init", str(tmp_path)).output
    calls = [line.strip() for line in output.splitlines() if ".track(" in line]
    assert len(calls) == 3
    for call in calls:
        assert call.startswith(f"{tracker}.track(")
        compile(call, "view", "eval")
    assert ("TIKTOK_SECRET_KEY=" not in output) is has_secret
    framework = output.splitlines()[0].removeprefix("Framework: ").lower()
    assert run("docs", f"frameworks/{framework}").exit_code == 0
    assert "tiktok-middleware sandbox --env-file sandbox.env" in output

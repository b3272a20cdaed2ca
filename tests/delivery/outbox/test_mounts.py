"""An outbox that goes with its container, or lies on a network, is told from one that stays, by the kernel's own words."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_main import PIXEL, TOKEN, report
from tiktok_middleware import _start_line
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox import location, mounts
from tiktok_middleware.delivery.outbox.mounts import mountinfo, risk_of

DOCKER = r"""
1180 1053 0:94 / / rw,relatime master:379 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/AB:/var/lib/docker/overlay2/l/CD,upperdir=/var/lib/docker/overlay2/ef/diff,workdir=/var/lib/docker/overlay2/ef/work
1181 1180 0:97 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1182 1180 0:98 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755,inode64
1187 1180 259:1 /var/lib/docker/volumes/events/_data /data rw,relatime master:1 - ext4 /dev/nvme0n1p1 rw,discard
1188 1180 259:1 /var/lib/docker/containers/12/hostname /etc/hostname rw,relatime - ext4 /dev/nvme0n1p1 rw,discard
1189 1180 0:53 / /srv/my\040share rw,relatime - nfs4 10.0.0.2:/exports/shop rw,vers=4.2,rsize=1048576,hard,proto=tcp
1190 1180 0:54 / /data/cold rw,relatime shared:7 master:2 - cifs //nas/cold rw,vers=3.1.1,cache=strict
"""
HOST = """
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard,resv_strict
31 27 0:30 / /run rw,nosuid,nodev shared:2 - tmpfs tmpfs rw,size=1214464k,mode=755
97 27 0:44 / /mnt/wwwshare rw,relatime shared:51 - fuse.sshfs www@10.0.0.7:/srv rw,user_id=0,group_id=0
98 27 0:45 / /mnt/c rw,noatime - 9p C:\\134 rw,dirsync,aname=drvfs;path=C:\\134
99 27 0:46 / /mnt/efs rw,relatime shared:52 - nfs4 127.0.0.1:/ rw,vers=4.1,port=20049
100 99 8:16 / /mnt/efs/local rw,relatime shared:53 - xfs /dev/sdb rw,attr2
101 27 0:47 / /opt/once rw,relatime - overlay overlay rw
102 27 8:17 / /opt/once rw,relatime - ext4 /dev/sdb1 rw
"""
GVISOR = "1 0 0:11 / / rw - 9p none rw,trans=fd,rfdno=4,wfdno=4\n2 1 0:12 / /data rw - ext4 /dev/sda rw\n"
PODMAN = "600 500 0:58 / / rw,nodev,relatime - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0,group_id=0\n"


@pytest.mark.parametrize(
    ("mounted", "path", "kind"),
    [
        (DOCKER, "/root/.local/state/tiktok-middleware/C1.sqlite3", "overlay"),
        (DOCKER, "/database/x.sqlite3", "overlay"),  # not under /data
        (DOCKER, "/data/x.sqlite3", ""),
        (DOCKER, "/data", ""),
        (DOCKER, "/data/cold/x.sqlite3", "cifs"),
        (DOCKER, "/srv/my share/x.sqlite3", "nfs4"),
        (HOST, "/var/lib/shop/x.sqlite3", ""),
        (HOST, "/run/x.sqlite3", ""),
        (HOST, "/mnt/wwwshare/x.sqlite3", "fuse.sshfs"),
        (HOST, "/mnt/wwwshare2/x.sqlite3", ""),
        (HOST, "/mnt/c/x.sqlite3", "9p"),
        (HOST, "/mnt/efs/x.sqlite3", "nfs4"),
        (HOST, "/mnt/efs/local/x.sqlite3", ""),
        (HOST, "/opt/once/x.sqlite3", ""),  # the later mount hides the earlier
        (GVISOR, "/root/x.sqlite3", "9p"),
        (GVISOR, "/data/x.sqlite3", ""),
        (PODMAN, "/root/x.sqlite3", "fuse.fuse-overlayfs"),
        ("", "/root/x.sqlite3", ""),
        ("garbage\n\n - \n1 2 3 - overlay\n", "/root/x.sqlite3", ""),
        ("27 1 254:0 / / rw,relatime", "/root/x.sqlite3", ""),
    ],
)
def test_the_nearest_mount_decides(mounted: str, path: str, kind: str) -> None:
    risk = risk_of(path, mounted)
    assert (f"({kind})" in risk) if kind else risk == ""


@pytest.mark.parametrize(
    ("mounted", "path", "words"),
    [
        (DOCKER, "/x", ("container's own layer", "mount a volume")),
        (GVISOR, "/x", ("container's own layer", "mount a volume")),
        (HOST, "/mnt/c/x", ("network file system", "the host's own disk")),
    ],
)
def test_the_words_say_what_to_do(mounted: str, path: str, words: tuple[str, ...]) -> None:
    assert all(word in risk_of(path, mounted) for word in words)


def test_this_systems_own_list_is_read() -> None:
    text = mountinfo()
    assert bool(text) == Path("/proc/self/mountinfo").exists()
    assert not text or any(line.split(" ")[4] == "/" for line in text.splitlines())


def test_where_there_is_no_list_nothing_is_said(tmp_path: Path) -> None:
    assert mountinfo(tmp_path / "none") == ""
    assert location.outbox_risk("sqlite:////x", "") == ""


@pytest.fixture
def in_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The test's folder stands for a volume, and the link in it for a file on the container's layer."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (tmp_path / "link").symlink_to("/somewhere/else.sqlite3")
    text = f"{DOCKER.strip()}\n1200 1180 8:1 / {volume} rw - ext4 /dev/sdb rw\n"
    monkeypatch.setattr(mounts, "_MOUNTINFO", tmp_path / "mountinfo")
    (tmp_path / "mountinfo").write_text(text)
    return tmp_path


def warnings_at_start(caplog: pytest.LogCaptureFixture, **options: Any) -> list[str]:
    caplog.clear()
    said: set[str] = set()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            config = Config(pixel_id=PIXEL, access_token=TOKEN, **options)
            _start_line.announce(config, location.outbox_url(config), said)
    return [line.getMessage() for line in caplog.records if "The outbox sqlite" in line.getMessage()]


def test_the_start_names_it_once_and_says_what_to_do(in_docker: Path, caplog: pytest.LogCaptureFixture) -> None:
    (line,) = warnings_at_start(caplog, outbox=f"sqlite:///{in_docker}/x.sqlite3")
    assert f"{in_docker}/x.sqlite3" in line
    assert "(overlay)" in line
    assert "by TIKTOK_OUTBOX=sqlite:////path" in line
    assert len(warnings_at_start(caplog, outbox=f"sqlite:///{in_docker}/link")) == 1, "where a link leads counts"


def test_the_start_is_silent_where_all_is_well(in_docker: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert warnings_at_start(caplog, outbox=f"sqlite:///{in_docker}/volume/x.sqlite3") == []
    assert warnings_at_start(caplog, outbox="memory://") == []
    layer = f"sqlite:///{in_docker}/x.sqlite3"
    assert warnings_at_start(caplog, outbox=layer, environment="development") == []


def test_the_default_outbox_is_looked_at_too(
    in_docker: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(in_docker / "state"))
    assert len(warnings_at_start(caplog)) == 1


def test_check_names_it(in_docker: Path) -> None:
    environ = {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_OUTBOX": f"sqlite:///{in_docker}/x.sqlite3"}
    assert "is on the container's own layer (overlay)" in report(**environ)["outbox"]
    environ["TIKTOK_OUTBOX"] = f"sqlite:///{in_docker}/volume/x.sqlite3"
    assert report(**environ)["outbox"] == environ["TIKTOK_OUTBOX"]
    assert not list((in_docker / "volume").iterdir()), "looking makes no file"

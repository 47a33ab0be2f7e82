"""This clone of the project: its root and its `.env`, where the embedded server's whereabouts are recorded."""

import os
from pathlib import Path

from dotenv import dotenv_values, set_key

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / ".env"


def setting(name: str, default: str = "") -> str:
    """A setting as the loaders read it: the environment, then `.env`; empty counts as unset."""
    value = os.environ.get(name)
    if not value and ENV_FILE.exists():
        value = dotenv_values(ENV_FILE).get(name)
    return value or default


def record(settings: dict[str, str], env_file: Path = ENV_FILE) -> None:
    """Write settings to `.env`, keep everything else in it, and let only its owner read it.

    A file that says so already is not touched, so that a second `make up` changes nothing.
    """
    if not env_file.exists():
        # created closed: a password must not be readable for the moment between creation and chmod
        os.close(os.open(env_file, os.O_CREAT | os.O_WRONLY, 0o600))
    status = env_file.stat()
    known = dotenv_values(env_file)
    for name, value in settings.items():
        if known.get(name) != value:
            set_key(env_file, name, value, quote_mode="never", follow_symlinks=True)
    if env_file.stat().st_mode & 0o077:
        env_file.chmod(0o600)
    if os.geteuid() == 0 and env_file.stat().st_uid != status.st_uid:
        os.chown(
            env_file, status.st_uid, status.st_gid
        )  # `sudo make up` leaves the file to its user

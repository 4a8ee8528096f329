"""Fixtures: those of the library."""

pytest_plugins = ["bw_webrtc.pytest_plugin"]

"""What makes pods of Deployments in the embedded cluster, and cleans up after deleted owners."""

from __future__ import annotations

from swell.local.workloads.workloads import Workloads

__all__ = ["Workloads"]

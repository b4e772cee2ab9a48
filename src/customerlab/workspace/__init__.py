"""What a notebook works in: the client's tables in, findings, tables and scores out.

The only place that knows what lies under ``data/`` and ``reports/``. Everything is written to a
temporary name first and renamed when whole, so that a killed run leaves nothing half-written.
"""

from customerlab.workspace.lab import Lab
from customerlab.workspace.opening import open_workspace
from customerlab.workspace.overview import Summary, open_summary

__all__ = ["Lab", "Summary", "open_summary", "open_workspace"]

"""Whether the derivatives of a model are right, by methods that share nothing."""

from kpinn.checking.check import check_derivatives
from kpinn.checking.report import Finding, Report

__all__ = ["Finding", "Report", "check_derivatives"]

"""Which autoscaling annotations admission accepts (spec autoscaling 1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from swell.api import labels
from swell.api.durations import format_duration
from swell.api.field_errors import FieldError, invalid_value, join, out_of_bounds
from swell.api.numbers import INT32_MAX, duration_ns, float64, int32, whole
from swell.api.settings import AutoscalerLimits

SECOND_NS: Final = 1_000_000_000
WINDOW_MIN_NS: Final = 6 * SECOND_NS
WINDOW_MAX_NS: Final = 3600 * SECOND_NS
TARGET_MIN: Final = 0.01
ALGORITHMS: Final = ("", "linear", "weighted-exponential", "weightedExponential")


def validate_annotations(annotations: Mapping[str, str], limits: AutoscalerLimits, path: str = "") -> list[FieldError]:
    """Every fault among the autoscaling annotations; `path` is where the annotations are."""
    rules = _Rules(annotations, limits, path)
    rules.scaling_class()
    rules.scales()
    rules.floats()
    rules.durations()
    rules.metric()
    rules.algorithm()
    rules.initial_scale()
    return rules.errors


class _Rules:
    """Collects faults: each method checks one group of keys, in the reference's order."""

    def __init__(self, annotations: Mapping[str, str], limits: AutoscalerLimits, path: str) -> None:
        self.annotations = annotations
        self.limits = limits
        self.path = path
        self.errors: list[FieldError] = []

    def find(self, *keys: str) -> tuple[str, str] | None:
        """The first of the keys that is present, and its value."""
        return next(((key, self.annotations[key]) for key in keys if key in self.annotations), None)

    def at(self, key: str) -> str:
        return join(self.path, key)

    def invalid(self, key: str, value: str) -> None:
        self.errors.append(invalid_value(value, self.at(key)))

    def fault(self, message: str, *keys: str) -> None:
        self.errors.append(FieldError(message, tuple(self.at(key) for key in keys)))

    def bounds(self, key: str, value: object, low: object, high: object) -> None:
        self.errors.append(out_of_bounds(value, low, high, self.at(key)))

    def scaling_class(self) -> None:
        value = self.annotations.get(labels.AUTOSCALER_CLASS, "")
        if value.endswith(".knative.dev") and value not in (labels.CLASS_KPA, labels.CLASS_HPA):
            self.invalid(labels.AUTOSCALER_CLASS, value)

    def scales(self) -> None:
        """Bounds and what they say about each other: annotations only, never the ConfigMap's values."""
        low = self._scale(labels.MIN_SCALE, labels.MIN_SCALE_ALIAS)
        high = self._scale(labels.MAX_SCALE, labels.MAX_SCALE_ALIAS)
        if high and high < low:
            self.fault(f"max-scale={high} is less than min-scale={low}", labels.MAX_SCALE, labels.MIN_SCALE)
        if found := self.find(labels.MAX_SCALE, labels.MAX_SCALE_ALIAS):
            self._limit(found[0], high)
        self._activation(low, high)

    def _scale(self, *keys: str) -> int:
        """A scale that may be 0; a bad or absent one counts as 0 in the checks that follow."""
        found = self.find(*keys)
        if found is None:
            return 0
        key, text = found
        value = whole(text)
        if value is None:
            self.invalid(key, text)
        elif not 0 <= value <= INT32_MAX:
            self.bounds(key, text, 0, INT32_MAX)
        else:
            return value
        return 0

    def _limit(self, key: str, high: int) -> None:
        limit = self.limits.max_scale_limit
        if limit and high > limit:
            self.bounds(key, high, 1, limit)
        elif limit and high == 0:
            self.fault(f"max-scale=0 means unlimited, but the cluster allows at most {limit}", key)

    def _activation(self, low: int, high: int) -> None:
        text = self.annotations.get(labels.ACTIVATION_SCALE)
        if text is None:
            return
        value = int32(text)
        if value is None:
            self.invalid(labels.ACTIVATION_SCALE, text)
        elif low > value:
            self.fault(f"activation-scale={value} is less than min-scale={low}", labels.ACTIVATION_SCALE)
        elif high and value > high:
            self.fault(f"activation-scale={value} is greater than max-scale={high}", labels.ACTIVATION_SCALE)
        elif value < 2:
            self.fault(f"activation-scale={value} must be at least 2", labels.ACTIVATION_SCALE)

    def floats(self) -> None:
        self._percentage(1, 100, labels.PANIC_WINDOW_PERCENTAGE, labels.PANIC_WINDOW_PERCENTAGE_ALIAS)
        self._percentage(110, 1000, labels.PANIC_THRESHOLD_PERCENTAGE, labels.PANIC_THRESHOLD_PERCENTAGE_ALIAS)
        self._float(self._target, labels.TARGET)
        self._percentage(1, 100, labels.TARGET_UTILIZATION, labels.TARGET_UTILIZATION_ALIAS)
        self._float(self._burst, labels.TARGET_BURST_CAPACITY, labels.TARGET_BURST_CAPACITY_ALIAS)

    def _float(self, check: Callable[[str, str, float], None], *keys: str) -> None:
        found = self.find(*keys)
        if found is None:
            return
        key, text = found
        value = float64(text)
        if value is None:
            self.invalid(key, text)
        else:
            check(key, text, value)

    def _percentage(self, low: int, high: int, *keys: str) -> None:
        def check(key: str, text: str, value: float) -> None:
            if not low <= value <= high:
                self.bounds(key, text, low, high)

        self._float(check, *keys)

    def _target(self, key: str, text: str, value: float) -> None:
        if value < TARGET_MIN:
            self.fault(f"target {text} should be at least {TARGET_MIN:g}", key)

    def _burst(self, key: str, text: str, value: float) -> None:
        if value < 0 and value != -1:
            self.invalid(key, text)

    def durations(self) -> None:
        self._duration(WINDOW_MIN_NS, True, labels.WINDOW)
        self._duration(0, False, labels.POD_RETENTION, labels.POD_RETENTION_ALIAS)
        self._duration(0, True, labels.SCALE_DOWN_DELAY, labels.SCALE_DOWN_DELAY_ALIAS)

    def _duration(self, low_ns: int, whole_seconds: bool, *keys: str) -> None:
        found = self.find(*keys)
        if found is None:
            return
        key, text = found
        ns = duration_ns(text)
        if ns is None:
            self.invalid(key, text)
        elif not low_ns <= ns <= WINDOW_MAX_NS:
            self.bounds(key, text, format_duration(low_ns / 1e9), format_duration(WINDOW_MAX_NS / 1e9))
        elif whole_seconds and ns % SECOND_NS:
            self.fault(f"{key.partition('/')[2]}={text} must be in whole seconds", key)

    def metric(self) -> None:
        value = self.annotations.get(labels.METRIC)
        if value is None:
            return
        scaling_class = self.annotations.get(labels.AUTOSCALER_CLASS, self.limits.pod_autoscaler_class)
        known = (labels.METRIC_CONCURRENCY, labels.METRIC_RPS)
        if scaling_class == labels.CLASS_KPA and value not in known:
            self.invalid(labels.METRIC, value)
        if scaling_class == labels.CLASS_HPA and not value:
            self.invalid(labels.METRIC, value)

    def algorithm(self) -> None:
        found = self.find(labels.AGGREGATION, labels.AGGREGATION_ALIAS)
        explicit = self.annotations.get(labels.AUTOSCALER_CLASS) == labels.CLASS_KPA
        if found and explicit and found[1] not in ALGORITHMS:
            self.invalid(*found)

    def initial_scale(self) -> None:
        found = self.find(labels.INITIAL_SCALE, labels.INITIAL_SCALE_ALIAS)
        if found is None:
            return
        key, text = found
        value = int32(text)
        # The path carries the remark: clients of the reference see it there.
        if value is None:
            self.invalid(key, text)
        elif value < 0:
            self.invalid(f"{key} must be greater than 0", text)
        elif value == 0 and not self.limits.allow_zero_initial_scale:
            self.invalid(f"{key}=0 not allowed by cluster", text)

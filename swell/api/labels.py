"""Every label and annotation key that Swell reads or writes."""

from __future__ import annotations

from typing import Final

AUTOSCALING_GROUP: Final = "autoscaling.knative.dev"
NETWORKING_GROUP: Final = "networking.knative.dev"

# serving.knative.dev: labels
SERVICE: Final = "serving.knative.dev/service"
SERVICE_UID: Final = "serving.knative.dev/serviceUID"
CONFIGURATION: Final = "serving.knative.dev/configuration"
CONFIGURATION_UID: Final = "serving.knative.dev/configurationUID"
CONFIGURATION_GENERATION: Final = "serving.knative.dev/configurationGeneration"
REVISION: Final = "serving.knative.dev/revision"
REVISION_UID: Final = "serving.knative.dev/revisionUID"
ROUTE: Final = "serving.knative.dev/route"
ROUTING_STATE: Final = "serving.knative.dev/routingState"
APP: Final = "app"
ACTIVATOR_SELECTOR: Final = "app=activator"
"""The pods of the front door, in the system namespace."""

# Values of the routingState label.
ROUTING_PENDING: Final = "pending"
ROUTING_ACTIVE: Final = "active"
ROUTING_RESERVE: Final = "reserve"

# serving.knative.dev: annotations
CREATOR: Final = "serving.knative.dev/creator"
LAST_MODIFIER: Final = "serving.knative.dev/lastModifier"
ROUTES: Final = "serving.knative.dev/routes"
ROUTING_STATE_MODIFIED: Final = "serving.knative.dev/routingStateModified"
ROLLOUT_DURATION: Final = "serving.knative.dev/rollout-duration"
ROLLOUT_DURATION_ALIAS: Final = "serving.knative.dev/rolloutDuration"
PROGRESS_DEADLINE: Final = "serving.knative.dev/progress-deadline"
PROGRESS_DEADLINE_ALIAS: Final = "serving.knative.dev/progressDeadline"
NO_GC: Final = "serving.knative.dev/no-gc"
LAST_PINNED: Final = "serving.knative.dev/lastPinned"
DEPLOYMENT_HASH: Final = "serving.knative.dev/deployment-hash"
QUEUE_SIDECAR_GROUP: Final = "queue.sidecar.serving.knative.dev"
KUBECTL_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"

# networking.knative.dev
VISIBILITY: Final = "networking.knative.dev/visibility"
VISIBILITY_CLUSTER_LOCAL: Final = "cluster-local"

# features.knative.dev
HTTP_FULL_DUPLEX: Final = "features.knative.dev/http-full-duplex"

# swell.dev: annotations of a revision that the front door acts on
COLD_START_PAGE: Final = "swell.dev/cold-start-page"
NO_WAKE_PATHS: Final = "swell.dev/no-wake-paths"
BODY_BYTES_MAX: Final = "swell.dev/body-bytes-max"

# swell.dev: annotations of a revision that the autoscaler acts on
METRICS: Final = "swell.dev/metrics"
SCHEDULE: Final = "swell.dev/schedule"
POLICY: Final = "swell.dev/policy"
SCALING_KEYS: Final = (METRICS, SCHEDULE, POLICY)

# autoscaling.knative.dev: annotations. Those with a second spelling list it after the first.
AUTOSCALER_CLASS: Final = "autoscaling.knative.dev/class"
METRIC: Final = "autoscaling.knative.dev/metric"
TARGET: Final = "autoscaling.knative.dev/target"
TARGET_UTILIZATION: Final = "autoscaling.knative.dev/target-utilization-percentage"
TARGET_UTILIZATION_ALIAS: Final = "autoscaling.knative.dev/targetUtilizationPercentage"
TARGET_BURST_CAPACITY: Final = "autoscaling.knative.dev/target-burst-capacity"
TARGET_BURST_CAPACITY_ALIAS: Final = "autoscaling.knative.dev/targetBurstCapacity"
WINDOW: Final = "autoscaling.knative.dev/window"
PANIC_WINDOW_PERCENTAGE: Final = "autoscaling.knative.dev/panic-window-percentage"
PANIC_WINDOW_PERCENTAGE_ALIAS: Final = "autoscaling.knative.dev/panicWindowPercentage"
PANIC_THRESHOLD_PERCENTAGE: Final = "autoscaling.knative.dev/panic-threshold-percentage"
PANIC_THRESHOLD_PERCENTAGE_ALIAS: Final = "autoscaling.knative.dev/panicThresholdPercentage"
MIN_SCALE: Final = "autoscaling.knative.dev/min-scale"
MIN_SCALE_ALIAS: Final = "autoscaling.knative.dev/minScale"
MAX_SCALE: Final = "autoscaling.knative.dev/max-scale"
MAX_SCALE_ALIAS: Final = "autoscaling.knative.dev/maxScale"
INITIAL_SCALE: Final = "autoscaling.knative.dev/initial-scale"
INITIAL_SCALE_ALIAS: Final = "autoscaling.knative.dev/initialScale"
ACTIVATION_SCALE: Final = "autoscaling.knative.dev/activation-scale"
SCALE_DOWN_DELAY: Final = "autoscaling.knative.dev/scale-down-delay"
SCALE_DOWN_DELAY_ALIAS: Final = "autoscaling.knative.dev/scaleDownDelay"
POD_RETENTION: Final = "autoscaling.knative.dev/scale-to-zero-pod-retention-period"
POD_RETENTION_ALIAS: Final = "autoscaling.knative.dev/scaleToZeroPodRetentionPeriod"
AGGREGATION: Final = "autoscaling.knative.dev/metric-aggregation-algorithm"
AGGREGATION_ALIAS: Final = "autoscaling.knative.dev/metricAggregationAlgorithm"

CLASS_KPA: Final = "kpa.autoscaling.knative.dev"
CLASS_HPA: Final = "hpa.autoscaling.knative.dev"
METRIC_CONCURRENCY: Final = "concurrency"
METRIC_RPS: Final = "rps"
METRIC_CPU: Final = "cpu"

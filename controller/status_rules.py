"""Which conditions decide whether an object is Ready (spec api 5.2 to 5.5), by kind."""

from __future__ import annotations

from typing import Final

from swell.api.conditions import ConditionSet

CONFIGURATIONS_READY: Final = "ConfigurationsReady"
ROUTES_READY: Final = "RoutesReady"
RESOURCES_AVAILABLE: Final = "ResourcesAvailable"
CONTAINER_HEALTHY: Final = "ContainerHealthy"
ALL_TRAFFIC_ASSIGNED: Final = "AllTrafficAssigned"
INGRESS_READY: Final = "IngressReady"
CERTIFICATE_PROVISIONED: Final = "CertificateProvisioned"

SERVICE_RULES: Final = ConditionSet(dependents=(CONFIGURATIONS_READY, ROUTES_READY))
CONFIGURATION_RULES: Final = ConditionSet()
REVISION_RULES: Final = ConditionSet(dependents=(RESOURCES_AVAILABLE, CONTAINER_HEALTHY))
ROUTE_RULES: Final = ConditionSet(dependents=(ALL_TRAFFIC_ASSIGNED, CERTIFICATE_PROVISIONED, INGRESS_READY))

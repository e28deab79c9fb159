"""What the three webhooks answer: a review and the settings in, a review out. Pure."""

from __future__ import annotations

from controller.webhook import review as reviews
from controller.webhook.jsonpatch import difference
from controller.webhook.review import Review
from swell.api.admission import Denied, check, default
from swell.api.meta import Obj
from swell.api.settings import ApiSettings
from swell.config.admission import check_config_map


def defaulting(review: Review, settings: ApiSettings) -> Obj:
    """A patch that fills in the defaults, and says who wrote it.

    What cannot be read stays as it is: the schema refuses it next, or `validation`, and each says it better.
    """
    try:
        made = default(
            review.obj,
            settings,
            old=review.old,
            operation=review.operation,
            user=review.user,
            subresource=review.subresource,
        )
    except Denied:
        return reviews.allowed(review)
    return reviews.allowed(review, patch=difference(review.obj, made))


def validation(review: Review, settings: ApiSettings) -> Obj:
    """Whether the object, with its defaults, is valid; with warnings."""
    try:
        warnings = check(
            review.obj, settings, old=review.old, operation=review.operation, subresource=review.subresource
        )
    except Denied as exc:
        return reviews.refused(review, str(exc))
    return reviews.allowed(review, warnings=warnings)


def config_validation(review: Review, system_namespace: str) -> Obj:
    """Whether a ConfigMap of ours can be used; every other may be as it likes."""
    try:
        check_config_map(review.obj, system_namespace)
    except Denied as exc:
        return reviews.refused(review, str(exc))
    return reviews.allowed(review)

"""Whose an object is that has the name of a child: ours, our predecessor's, or somebody else's. Pure."""

from __future__ import annotations

from swell.api import labels
from swell.api.kinds import Kind
from swell.api.meta import Obj, ObjectMeta, controller_of
from swell.api.serving import Configuration, Revision


def is_leftover(obj: Obj, kind: Kind, meta: ObjectMeta) -> bool:
    """Whether it belonged to an object of that kind that was deleted, and made anew under the same name.

    Such a child is on its way out, and its name will be free.
    """
    owner = controller_of(obj)
    return (
        owner is not None
        and (owner.get("kind"), owner.get("name")) == (kind.kind, meta.name)
        and owner.get("uid") != meta.uid
    )


def controls(configuration: Configuration, revision: Revision) -> bool:
    """Whether the Configuration made the revision."""
    owner = controller_of({"metadata": {"ownerReferences": revision.meta.owner_references}})
    return owner is not None and owner.get("uid") == configuration.meta.uid


def adopts(configuration: Configuration, revision: Revision) -> bool:
    """Whether a revision found under the template's name is the one asked for (spec api 6.3).

    It must be the Configuration's own, and of this generation or of the same content: going back to an older
    revision by its name is how a user undoes a change.
    """
    if not controls(configuration, revision):
        return False
    generation = revision.meta.labels.get(labels.CONFIGURATION_GENERATION)
    return generation == str(configuration.meta.generation) or revision.spec == configuration.template.spec

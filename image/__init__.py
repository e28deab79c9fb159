"""Makes the container images of this project out of Debian packages and wheels; no registry and no engine needed."""

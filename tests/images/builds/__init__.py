"""Images built by buildah and out of Debian packages, for real."""

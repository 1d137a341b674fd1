#!/usr/bin/env bash
# Build the image of this checkout from Debian's packages and requirements.lock alone.
#
#     envs/container.sh [FOLDER]      default: container
#
# Needs root, buildah and mmdebstrap (both Debian packages) and the two package registries; no
# registry of images. FOLDER gets the image's storage and glymflow.oci.tar, which podman, docker and
# apptainer read. ARCHIVE=no leaves the file out.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(realpath -m "${1:-container}")
suite=bookworm # Debian 12: Python 3.11
packages=python3,python3-venv,ca-certificates,libstdc++6,libgomp1,procps

for program in buildah mmdebstrap; do
  command -v "$program" >/dev/null || {
    echo "container.sh: no $program; on Debian: apt-get install buildah mmdebstrap" >&2
    exit 1
  }
done
# as plain files and without namespaces: works within a sandbox too
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot} STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
context="$folder/context"
rm -rf "$context"
mkdir -p "$context/glymflow"
trap 'rm -rf "$context"' EXIT
git -C "$checkout" ls-files -z | tar -C "$checkout" --null -T - -c | tar -C "$context/glymflow" -x

mmdebstrap --quiet --variant=essential --include="$packages" \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  "$suite" "$context/rootfs.tar"

image() { buildah --root "$folder/storage" --runroot "$folder/run" "$@"; }
# the certificates of this machine: it may reach the registry through a proxy of its own
image bud --quiet --layers=false --volume /etc/ssl/certs:/etc/ssl/certs:ro \
  --file "$checkout/envs/Containerfile" --tag glymflow "$context"
if [ "${ARCHIVE:-yes}" != no ]; then
  rm -f "$folder/glymflow.oci.tar"
  image push --quiet --disable-compression glymflow "oci-archive:$folder/glymflow.oci.tar"
fi
echo "Image: $folder (storage of buildah)"

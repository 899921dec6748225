#!/bin/sh
# docker compose with this directory's set: `compose.sh up -d`, `compose.sh --profile lb up -d`, `compose.sh stop mango-1`,
# `compose.sh --profile lb down`. Takes compose v2 or v1, whichever is here, and an image that can be had.
# LB_COMPOSE_FILE=labels.yml takes another file of this directory.
# Exits with 69 and says why when there is no compose, no engine or no image.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

missing() { printf 'compose: %s\n' "$*" >&2; exit 69; }

command -v docker >/dev/null || missing 'docker is not installed'
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || missing 'no docker engine answers: is dockerd running?'
file="$here/${LB_COMPOSE_FILE:-docker-compose.yml}"
if docker compose version >/dev/null 2>&1; then set -- docker compose -f "$file" "$@"
elif command -v docker-compose >/dev/null; then set -- docker-compose -f "$file" "$@"
else missing 'neither `docker compose` nor docker-compose is installed'
fi

export COMPOSE_PROJECT_NAME="${COMPOSE_PROJECT_NAME:-lb}"
LB_NODE_IMAGE="${LB_NODE_IMAGE:-$("$here/base-image.sh")}" || missing 'there is no image with node'
export LB_NODE_IMAGE
exec "$@"

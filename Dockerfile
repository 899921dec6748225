# lb in a container: `docker build -t lb .` in a clone, which downloads what it needs to build. docs/operations.md says how to
# run the image. NODE_IMAGE is any image that has `node`; it needs no shell. Neither does BUILD_IMAGE, but it has npm, unless
# the folder that is given to docker holds a program that is built already, as `node packaging/layout.mjs FOLDER` makes it.
ARG NODE_IMAGE=node:24-slim
ARG BUILD_IMAGE=${NODE_IMAGE}

FROM ${BUILD_IMAGE} AS build
WORKDIR /source
# What is installed is kept from build to build until one of these changes.
COPY package*.json .npmrc* ./
COPY packaging/docker/build.mjs packaging/docker/
RUN ["node", "packaging/docker/build.mjs", "install"]
COPY . .
RUN ["node", "packaging/docker/build.mjs", "assemble", "/image"]

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="lb" \
      org.opencontainers.image.description="An HTTP load balancer with health checks, safe retries and one YAML file" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"
# /app with the program, which is root's and which nobody in the container can change, /usr/local/bin/lb, and /etc/lb.
COPY --from=build /image /
# For state_file, on a volume: all else can be read-only.
COPY --from=build --chown=65532:65532 /image/etc/lb /var/lib/lb
ENV NODE_ENV=production
WORKDIR /etc/lb
# As a number, so that Kubernetes sees that it is not root.
USER 65532:65532
EXPOSE 8080
# Requests in flight are answered, then it exits with 0.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s --retries=3 CMD ["node", "/app/bin/lb.js", "healthcheck"]
ENTRYPOINT ["node", "/app/bin/lb.js"]
CMD ["-c", "/etc/lb/loadbalancer.yaml"]

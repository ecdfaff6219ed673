# The two programs on an image without a shell, a package manager or root.
#
#   docker build -t churn-risk .
#   docker run -d --name churn-risk --read-only --tmpfs /tmp:noexec,nosuid,nodev,size=64m \
#       --cap-drop ALL --security-opt no-new-privileges --pids-limit 256 --ulimit nofile=65536 \
#       --stop-timeout 45 -p 443:8080 \
#       -v lake:/data -v models:/models -v audit:/audit -v /etc/churn-risk:/etc/churn-risk:ro \
#       -e CHURN_RISK_TLS_CERTIFICATE=/etc/churn-risk/tls.pem -e CHURN_RISK_TLS_KEY=/etc/churn-risk/tls.key \
#       churn-risk
#
# /etc/churn-risk holds access.toml (an example is deploy/access.toml), the files that it names, and
# those of TLS, all readable for user 65532. Its client_secret_file must lie there too. Leave the two
# TLS variables out where a proxy ends TLS, and name it in trusted_proxies. CHURN_RISK_KEYS names the
# file of API keys.
#
# Folders of the host in place of the volumes must belong to 65532:65532 and have mode 0700.
#
# The other commands run beside it, on the same volumes:
#
#   docker run --rm ... -v /srv/exports:/exports:ro churn-risk import /exports
#   docker run --rm ... --entrypoint /usr/local/bin/churn-train churn-risk --lake /data --models /models --label status
#
# For images that can be made again, give both base images by digest:
#   --build-arg BUILD_IMAGE=rust@sha256:... --build-arg BASE_IMAGE=gcr.io/distroless/cc-debian12@sha256:...

# Both are Debian 12: the programs need its C library, and libgcc_s and libm beside it.
ARG BUILD_IMAGE=rust:1.95-slim-bookworm
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
# Writes the list of crates into the programs, where `cargo audit bin` and image scanners find it.
RUN cargo install cargo-auditable --version 0.7.4 --locked
WORKDIR /build
# What .dockerignore lets through: sources and Cargo's two files.
COPY . .
# The last stage has no mkdir; new volumes take owner and mode from these folders.
RUN cargo auditable build --release --locked --bins \
    && install -d -m 0700 /rooms/data /rooms/models /rooms/audit

FROM ${BASE_IMAGE}
COPY --from=build /build/target/release/churn-risk /build/target/release/churn-train /usr/local/bin/
COPY --from=build /build/LICENSE /usr/share/doc/churn-risk/LICENSE
COPY --from=build --chown=65532:65532 /rooms/data /data
COPY --from=build --chown=65532:65532 /rooms/models /models
COPY --from=build --chown=65532:65532 /rooms/audit /audit
# An address that is not loopback: it does not start without sign-in or keys, and TLS or a proxy.
# The cache is of lakes in object stores alone; theirs is kept with a volume in its place.
ENV CHURN_RISK_LAKE=/data \
    CHURN_RISK_MODELS=/models \
    CHURN_RISK_AUDIT=/audit \
    CHURN_RISK_ACCESS=/etc/churn-risk/access.toml \
    CHURN_RISK_BIND=0.0.0.0:8080 \
    CHURN_RISK_CACHE=/tmp/churn-risk
VOLUME ["/data", "/models", "/audit"]
EXPOSE 8080
# nonroot, as a number: so an orchestrator can tell that it is not root.
USER 65532:65532
# No HEALTHCHECK: it would need a shell or a client in the image. Whoever runs the container asks
# /healthz (the process is up) and /readyz (data and model are there) over the network.
ENTRYPOINT ["/usr/local/bin/churn-risk"]
CMD ["serve"]

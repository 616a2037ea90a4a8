# All that happens here happens in deploy/install.sh and deploy/entrypoint.sh, which the tests run without Docker.
FROM debian:bookworm-slim
ARG S4C_UID=50000
ARG S4C_GID=50000
COPY . /opt/sen4cap
RUN --mount=type=cache,target=/root/.cache/uv /opt/sen4cap/deploy/install.sh
USER ${S4C_UID}:${S4C_GID}
WORKDIR /var/lib/sen4cap
ENTRYPOINT ["/opt/sen4cap/deploy/entrypoint.sh"]
CMD ["s4c", "--help"]

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# The dependencies come first, in their own layer, which is built again only when they change. The targets
# that are not copied are removed from the manifest, because cargo would require them. A C compiler
# for SQLite, ring and AWS-LC is in the image.
COPY Cargo.toml Cargo.lock ./
RUN sed -i '/^\[\[/,$d' Cargo.toml \
    && mkdir src state && echo '//! Not copied yet.' | tee src/lib.rs > src/main.rs \
    && echo 'fn main() {}' >> src/main.rs \
    && cargo build --release --locked --no-default-features
COPY config/default.toml config/default.toml
COPY migrations migrations
# The compiler checks the queries of the state database against this.
COPY .sqlx .sqlx
COPY src src
# Without the practice Closte: the image is for servers.
RUN touch src/lib.rs src/main.rs && cargo build --release --locked --no-default-features

# glibc, the certificates of the authorities and no shell: 23 MB.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="closte-sync" \
      org.opencontainers.image.description="Keeps the domains of an Ultimate Multisite network and its Closte app the same" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /src/target/release/closte-sync /usr/local/bin/closte-sync
# The user needs no name, only the folder for the state, the only place that is written to.
COPY --from=build --chown=10001:10001 /src/state /var/lib/closte-sync
USER 10001:10001
# The last two as in config/closte-sync.service.
ENV STATE_DIRECTORY=/var/lib/closte-sync MALLOC_MMAP_THRESHOLD_=262144 MALLOC_ARENA_MAX=1
VOLUME /var/lib/closte-sync
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["closte-sync", "health"]
ENTRYPOINT ["closte-sync"]
CMD ["run"]

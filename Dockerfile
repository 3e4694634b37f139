# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# A C compiler for SQLite and ring comes with the image.
COPY Cargo.toml Cargo.lock ./
COPY config/default.toml config/default.toml
COPY migrations migrations
COPY src src
# The image is for servers: without the practice Closte. The targets that are not copied are left
# out of the manifest, which cargo would otherwise look for.
RUN sed -i '/^\[\[/,$d' Cargo.toml \
    && cargo build --release --locked --no-default-features

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/closte-sync --create-home closte-sync
COPY --from=build /src/target/release/closte-sync /usr/local/bin/closte-sync
USER 10001
ENV STATE_DIRECTORY=/var/lib/closte-sync
VOLUME /var/lib/closte-sync
ENTRYPOINT ["closte-sync"]
CMD ["run"]

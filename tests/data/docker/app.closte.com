#!/bin/sh
# A practice Closte at https://app.closte.com.
practice-closte --listen 127.0.0.1:9000 "$1" &
exec socat OPENSSL-LISTEN:443,reuseaddr,fork,cert=/usr/local/share/app.closte.com.pem,verify=0 TCP:127.0.0.1:9000

#!/bin/bash
# A practice Closte at https://app.closte.com.
set -euo pipefail
mkfifo /tmp/address
practice-closte "$1" >/tmp/address &
read -r address </tmp/address
address=${address#http://} address=${address%%/*}
echo "$address" >/tmp/ready
exec socat OPENSSL-LISTEN:443,reuseaddr,fork,cert=/usr/local/share/app.closte.com.pem,verify=0 "TCP:$address"

#!/bin/sh
# Renews the tokens in the kubeconfigs of a Secret: each account asks its own API server for a new token of itself.
# KUBECONFIGS is the folder in which the Secret is mounted, a file a key; NAMESPACE and SECRET name it, and
# DURATION is the life that is asked for. Tokens are in files and pipes only: never in arguments, never in the log.
# What another server sends is not trusted: it is bounded, and used only where it is a name or a token.
set -eu
umask 077
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What the operator refuses too: it would run a program, read a file of this pod, or act as somebody else.
refused='{.users[0].user.exec}{.users[0].user.auth-provider}{.users[0].user.tokenFile}
{.users[0].user.client-certificate}{.users[0].user.client-key}{.users[0].user.as}{.users[0].user.as-uid}
{.users[0].user.as-groups}{.users[0].user.as-user-extra}{.clusters[0].cluster.proxy-url}
{.clusters[0].cluster.certificate-authority}{.clusters[0].cluster.insecure-skip-tls-verify}'

# Asks the server of a kubeconfig; the answer is in a file.
ask() {
  kubeconfig=$1 answer=$2
  shift 2
  kubectl --kubeconfig "$kubeconfig" --request-timeout 30s "$@" 2>"$work/error" | head -c 65536 >"$answer"
  # Without an answer the error says why.
  [ -s "$answer" ]
}

who() { ask "$1" "$work/who" auth whoami --output 'jsonpath={.status.userInfo.username}'; }

why() { head -c 500 "$work/error" | tr -cd '[:print:]'; }

# Renews the token of one kubeconfig; says what it did, or why not.
renew() {
  key=$1 old=$KUBECONFIGS/$1
  field() { kubectl config view --kubeconfig "$old" --minify --output "jsonpath=$1"; }
  {
    field "$refused" >"$work/refused" && field '{.users[0].name}' >"$work/name" &&
      field '{.clusters[0].cluster.server}' >"$work/server"
  } 2>"$work/error" || { echo "$key: it is no kubeconfig"; return 1; }
  case "$(tr -d '[:space:]' <"$work/refused") $(cat "$work/server")" in
    ' https://'*) ;;
    *) echo "$key: the operator would refuse this kubeconfig"; return 1 ;;
  esac
  user=$(cat "$work/name")
  case $user in
    '' | *[!A-Za-z0-9._:@/-]*) echo "$key: its user's name may have only A-Z a-z 0-9 . _ : @ / -"; return 1 ;;
  esac
  who "$old" || { echo "$key: not accepted, or not reached; write a new kubeconfig: $(why)"; return 1; }
  account=$(cat "$work/who")
  case $account in
    *[!a-z0-9.:-]* | *:-*) echo "$key: its user is no ServiceAccount: left as it is"; return 0 ;;
    system:serviceaccount:?*:?*) ;;
    *) echo "$key: its user is no ServiceAccount: left as it is"; return 0 ;;
  esac
  namespace=${account#system:serviceaccount:}
  namespace=${namespace%%:*}
  ask "$old" "$work/token" create token "${account##*:}" --namespace "$namespace" --duration "$DURATION" || {
    echo "$key: $account may not renew its own token, see manifests/token-renewal: $(why)"
    return 1
  }
  [ "$(wc -l <"$work/token")" -le 1 ] && [ -z "$(tr -d 'A-Za-z0-9._\n-' <"$work/token")" ] || {
    echo "$key: what its server sent is no token: the old one stays"
    return 1
  }
  {
    printf 'apiVersion: v1\nkind: Config\nusers:\n- name: "%s"\n  user:\n    token: "' "$user"
    tr -d '\n' <"$work/token"
    printf '"\n'
  } >"$work/user"
  # Of two files the first decides what a user has.
  KUBECONFIG="$work/user:$old" kubectl config view --raw --minify >"$work/new" || return 1
  who "$work/new" && [ "$(cat "$work/who")" = "$account" ] || {
    echo "$key: the new token is not accepted: the old one stays"
    return 1
  }
  printf '{"data":{"%s":"%s"}}' "$key" "$(base64 <"$work/new" | tr -d '\n')" >"$work/patch"
  kubectl --namespace "$NAMESPACE" patch secret "$SECRET" --patch-file "$work/patch" >"$work/said" || {
    echo "$key: the new token cannot be written to Secret $SECRET"
    return 1
  }
  echo "$key: renewed the token of $account"
}

failed=0
for file in "$KUBECONFIGS"/*; do
  [ -f "$file" ] || continue
  # What fails for one key does not end the others.
  renew "${file##*/}" || failed=1
done
exit "$failed"

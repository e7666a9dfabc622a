#!/bin/sh
# Renews the tokens in the kubeconfigs of a Secret: each account requests a new token for itself from its own API server.
# KUBECONFIGS is the folder with the mounted Secret, one file per key; NAMESPACE and SECRET identify it, and
# DURATION is the requested lifetime. Tokens are in files and pipes only: never in arguments, never in the log.
# Responses of other servers are not trusted: they are limited in size, and used only if they are a name or a token.
# A kubeconfig that changes while the job runs is not replaced: the Secret is written only if it is still the same.
set -eu
umask 077
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The operator rejects these too: they would run a program, read a file of this pod, or impersonate somebody.
refused='{.users[0].user.exec}{.users[0].user.auth-provider}{.users[0].user.tokenFile}
{.users[0].user.client-certificate}{.users[0].user.client-key}{.users[0].user.as}{.users[0].user.as-uid}
{.users[0].user.as-groups}{.users[0].user.as-user-extra}{.clusters[0].cluster.proxy-url}
{.clusters[0].cluster.certificate-authority}{.clusters[0].cluster.insecure-skip-tls-verify}'

# The operator rejects these servers too. Anything but https://HOST or https://HOST:PORT is rejected, and so is a
# link-local or an unspecified address in any spelling. Fails and prints the reason.
check_server() {
  case $1 in
    https://*) rest=${1#https://} rest=${rest%/} ;;
    *) echo 'its server is not https'; return 1 ;;
  esac
  case $rest in
    \[*\]) host=${rest%\]} port=443 ;;
    \[*\]:*) host=${rest%\]:*} port=${rest##*\]:} ;;
    *:*) host=${rest%:*} port=${rest##*:} ;;
    *) host=$rest port=443 ;;
  esac
  case $port in
    '' | *[!0-9]* | ??????*) echo 'its server is not https://HOST:PORT'; return 1 ;;
  esac
  case $host in
    \[*) number=$(ipv6 "${host#\[}") || { echo 'its server is no IPv6 address'; return 1; } ;;
    '' | .* | *..* | *[!A-Za-z0-9._-]*) echo 'its server is not https://HOST:PORT'; return 1 ;;
    *)
      host=${host%.}
      case ${host##*.} in
        # Resolvers accept other forms of numbers (2852039166, 0xa9fea9fe, 169.254.43518) as addresses too.
        0[xX]*) echo 'its server is no IPv4 address'; return 1 ;;
        *[!0-9]*) return 0 ;;
      esac
      number=0:0:0:0:0:ffff:$(ipv4 "$host") || { echo 'its server is no IPv4 address'; return 1; }
      ;;
  esac
  case $number in
    fe[89ab]?:* | fd00:ec2:* | 0:0:0:0:0:ffff:a9fe:*) echo 'its server is link-local, where clouds hand out credentials' ;;
    0:0:0:0:0:0:0:0 | 0:0:0:0:0:ffff:0:0) echo 'its server is the unspecified address' ;;
    *) return 0 ;;
  esac
  return 1
}

# An IPv4 address as the two last groups of an IPv6 address; fails if it is invalid.
ipv4() {
  case $1 in
    .* | *. | *..* | *[!0-9.]*) return 1 ;;
  esac
  set -- $(echo "$1" | tr . ' ')
  [ $# = 4 ] || return 1
  for byte; do
    case $byte in
      0 | [1-9] | [1-9][0-9] | 1[0-9][0-9] | 2[0-4][0-9] | 25[0-5]) ;;
      *) return 1 ;;
    esac
  done
  printf '%x:%x' $(($1 * 256 + $2)) $(($3 * 256 + $4))
}

# An IPv6 address as eight groups without leading zeros; fails if it is invalid.
ipv6() {
  text=$(echo "$1" | tr A-F a-f)
  case $text in
    *.*)
      tail=$(ipv4 "${text##*:}") || return 1
      case $text in
        *:*) text=${text%:*}:$tail ;;
        *) return 1 ;;
      esac
      ;;
  esac
  case $text in
    *[!0-9a-f:]* | *:::* | *::*::* | :[!:]* | *[!:]:) return 1 ;;
    *::*) before=${text%%::*} after=${text#*::} fill=1 ;;
    *) before=$text after='' fill='' ;;
  esac
  before=$(echo "$before" | tr : ' ') after=$(echo "$after" | tr : ' ')
  set -- $before $after
  [ -z "$fill" ] || [ $# -le 7 ] || return 1
  while [ -n "$fill" ] && [ $# -lt 8 ]; do
    before="$before 0"
    set -- $before $after
  done
  [ $# = 8 ] || return 1
  for group; do
    case $group in
      ?????*) return 1 ;;
    esac
  done
  printf '%x:%x:%x:%x:%x:%x:%x:%x' "$((0x$1))" "$((0x$2))" "$((0x$3))" "$((0x$4))" \
    "$((0x$5))" "$((0x$6))" "$((0x$7))" "$((0x$8))"
}

# Sends a request to the server of a kubeconfig; the response is in a file.
ask() {
  kubeconfig=$1 answer=$2
  shift 2
  kubectl --kubeconfig "$kubeconfig" --request-timeout 30s "$@" 2>"$work/error" | head -c 65536 >"$answer"
  # Without a response, the error has the reason.
  [ -s "$answer" ]
}

who() { ask "$1" "$work/who" auth whoami --output 'jsonpath={.status.userInfo.username}'; }

why() { head -c 500 "$work/error" | tr -cd '[:print:]'; }

in_base64() { base64 <"$1" | tr -d '\n'; }

# Writes the new kubeconfig if the Secret still has the old one.
write() {
  key=$1
  {
    printf '[{"op":"test","path":"/data/%s","value":"%s"},' "$key" "$(in_base64 "$work/old")"
    printf '{"op":"replace","path":"/data/%s","value":"%s"}]' "$key" "$(in_base64 "$work/new")"
  } >"$work/patch"
  kubectl --namespace "$NAMESPACE" patch secret "$SECRET" --type json --patch-file "$work/patch" \
    >"$work/said" 2>"$work/error" && return
  reason=$(why)
  # The server does not report which test of a patch failed: the current content shows it.
  if kubectl --namespace "$NAMESPACE" get secret "$SECRET" --output "go-template={{index .data \"$key\"}}" \
    >"$work/now" 2>"$work/error" && [ "$(cat "$work/now")" != "$(in_base64 "$work/old")" ]; then
    echo "$key: Secret $SECRET changed while this job ran, and stays as it is: the new token is thrown away."
    echo "$key: The next run renews what the Secret holds then. If the old kubeconfig leaked, end all tokens of its" \
      "account, in the tenant's cluster:"
    echo "kubectl --namespace $namespace delete serviceaccount ${account##*:}"
    return 1
  fi
  echo "$key: the new token cannot be written to Secret $SECRET of namespace $NAMESPACE; the old one stays: $reason"
  return 1
}

# Renews the token of one kubeconfig; prints the result, or the reason for a failure.
renew() {
  key=$1 old=$work/old
  # The mounted file may change at any time: one copy of it is checked, renewed and replaced.
  cat "$KUBECONFIGS/$key" >"$old" || { echo "$key: it cannot be read"; return 1; }
  field() { kubectl config view --kubeconfig "$old" --minify --output "jsonpath=$1"; }
  {
    field "$refused" >"$work/refused" && field '{.users[0].name}' >"$work/name" &&
      field '{.clusters[0].cluster.server}' >"$work/server"
  } 2>"$work/error" || { echo "$key: it is no kubeconfig"; return 1; }
  [ -z "$(tr -d '[:space:]' <"$work/refused")" ] || {
    echo "$key: the operator would refuse this kubeconfig: see docs/operator.md, A tenant in another cluster"
    return 1
  }
  reason=$(check_server "$(cat "$work/server")") || {
    echo "$key: the operator would refuse this kubeconfig: $reason"
    return 1
  }
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
  # With two files, the first one has precedence for a user.
  KUBECONFIG="$work/user:$old" kubectl config view --raw --minify >"$work/new" || return 1
  who "$work/new" && [ "$(cat "$work/who")" = "$account" ] || {
    echo "$key: the new token is not accepted: the old one stays"
    return 1
  }
  write "$key" || return 1
  echo "$key: renewed the token of $account"
}

failed=0
for file in "$KUBECONFIGS"/*; do
  [ -f "$file" ] || continue
  # A failure for one key does not affect the others.
  renew "${file##*/}" || failed=1
done
exit "$failed"

#!/usr/bin/env bash
# Measures false alerts in ordinary traffic of servers: a shop in two databases, an employee directory,
# mailing-list mailboxes, prints of manuals, and file trees over rsync, SMB and FTP.
#
#   ordinary-servers.sh FOLDER     for example: ordinary-servers.sh /tmp/servers
#
# Needs root and, of Debian: mariadb-server postgresql slapd ldap-utils dovecot-imapd dovecot-pop3d curl rsync samba
# smbclient vsftpd lftp redis-server enscript tcpdump iproute2.
# Runs the servers in a temporary network namespace, writes captures of about 200 MB to FOLDER, and prints how
# many alerts phitap raises. Nothing in them is about a patient, so every alert is false. Programs that are not
# installed are reported and skipped.
set -u
[[ $# -eq 1 ]] || { sed -n 2,13p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
phitap=${PHITAP:-$here/../target/release/phitap}
server=10.99.7.2
work=$(mktemp -d /tmp/ordinary.XXXXXX)
chmod 755 "$work"
servers=() alerts=0 bytes=0 count=0
export PATH=$PATH:/usr/sbin:/sbin:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)

ip netns add ord-s && ip netns add ord-c || exit 1
clean() {
    for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null; done
    sleep 1
    ip netns del ord-s
    ip netns del ord-c
    rm -rf "$work"
}
trap clean EXIT
ip link add ord0 netns ord-s type veth peer name ord1 netns ord-c
ip -n ord-s addr add $server/24 dev ord0
ip -n ord-c addr add 10.99.7.1/24 dev ord1
for end in "ord-s lo" "ord-s ord0" "ord-c lo" "ord-c ord1"; do
    set -- $end
    ip -n "$1" link set "$2" up
done

# Starts a server and waits until its port answers.
serve() {
    local port=$1
    shift
    ip netns exec ord-s "$@" >"$work/$port.log" 2>&1 &
    servers+=($!)
    for _ in $(seq 100); do
        ip netns exec ord-c bash -c "exec 3<>/dev/tcp/$server/$port" 2>/dev/null && return 0
        sleep 0.2
    done
    echo "nothing answers on port $port: $(tail -n 1 "$work/$port.log")"
    return 1
}
client() { ip netns exec ord-c "$@"; }

# Captures the traffic of a function, and counts the alerts in it.
record() {
    local name=$1 capture=$folder/$1.pcap
    ip netns exec ord-s tcpdump -q -i ord0 -s 0 -B 65536 --immediate-mode -w "$capture" 2>/dev/null &
    local tcpdump=$!
    sleep 1
    "$@" >"$work/out" 2>&1 || echo "$name: $(tail -n 1 "$work/out")"
    sleep 1
    kill "$tcpdump" && wait "$tcpdump" 2>/dev/null
    "$phitap" replay "$capture" --format ecs --reveal >"$folder/$name.events" 2>/dev/null
    count=$(grep -c '"phi-finding"' "$folder/$name.events" || true)
    local size
    size=$(stat -c %s "$capture")
    echo "$name: $((size / 1000000)) MB, $count alerts"
    alerts=$((alerts + count)) bytes=$((bytes + size))
}
has() {
    for program in "$@"; do
        command -v "$program" >/dev/null || { echo "$program is not installed"; return 1; }
    done
}

for what in shop queries staff mailbox; do
    "$here/ordinary-servers.py" $what >"$work/$what"
done
mkdir -p "$work/tree"
cp -r /usr/share/doc/[a-c]* /usr/lib/python3/dist-packages/[p-s]* "$work/tree" 2>/dev/null

mysql() {
    local options=(--no-defaults --skip-ssl -h $server -u ordinary shop)
    client mariadb "${options[@]}" <"$work/shop" && client mariadb "${options[@]}" <"$work/queries" >/dev/null &&
        client mariadb-dump --no-defaults --skip-ssl -h $server -u ordinary --compress shop >/dev/null
}
if has mariadbd mariadb-install-db; then
    install -d -o mysql "$work/my"
    mariadb-install-db --no-defaults --datadir="$work/my" --user=mysql >/dev/null 2>&1
    serve 3306 mariadbd --no-defaults --datadir="$work/my" --user=mysql --socket="$work/my/s" --bind-address=$server &&
        mariadb --no-defaults -S "$work/my/s" -e \
            "CREATE DATABASE shop; CREATE USER ordinary@'%'; GRANT ALL ON *.* TO ordinary@'%'" && record mysql
fi

postgresql() {
    local to="host=$server user=postgres sslmode=disable gssencmode=disable"
    client psql -q "$to" -f "$work/shop" && client psql -q "$to" -f "$work/queries" >/dev/null &&
        client psql -q "$to" -c "\\copy customers to '$work/out.csv' csv header" -c "COPY orders TO STDOUT" >/dev/null &&
        client env PGSSLMODE=disable PGGSSENCMODE=disable pg_dump -h $server -U postgres postgres >/dev/null &&
        client env PGSSLMODE=disable PGGSSENCMODE=disable pgbench -h $server -U postgres -i -q postgres &&
        client env PGSSLMODE=disable PGGSSENCMODE=disable pgbench -h $server -U postgres -M prepared -t 2000 postgres
}
if has initdb postgres; then
    install -d -o postgres "$work/pg"
    su postgres -c "$(command -v initdb) -D $work/pg -A trust" >/dev/null 2>&1
    echo "host all all 10.99.7.0/24 trust" >>"$work/pg/pg_hba.conf"
    serve 5432 su postgres -c "$(command -v postgres) -D $work/pg -h $server -k $work/pg" && record postgresql
fi

ldap() {
    local name as=(-x -H ldap://$server -D cn=admin,dc=clinic,dc=example -w secret)
    client ldapadd "${as[@]}" -f "$work/staff" && client ldapsearch "${as[@]}" -b dc=clinic,dc=example -E pr=200/noprompt &&
        for name in Meyer Novak Rossi; do
            client ldapsearch "${as[@]}" -b ou=staff,dc=clinic,dc=example "(&(objectClass=person)(sn=$name))"
        done
}
if has slapd ldapadd; then
    mkdir "$work/ldap"
    cat >"$work/slapd.conf" <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit unlimited
database mdb
maxsize 1000000000
suffix dc=clinic,dc=example
rootdn cn=admin,dc=clinic,dc=example
rootpw secret
directory $work/ldap
END
    serve 389 slapd -d 0 -f "$work/slapd.conf" -h ldap://$server && record ldap
fi

mail() {
    client curl -sS -u reader:secret "imap://$server/INBOX;MAILINDEX=[1-1200]" -o /dev/null &&
        client curl -sS -u reader:secret "pop3://$server/[1-1200]" -o /dev/null
}
if has dovecot curl; then
    install -d -o nobody "$work/mail"
    install -o nobody "$work/mailbox" "$work/mail/inbox"
    cat >"$work/dovecot.conf" <<END
base_dir = $work/dovecot
protocols = imap pop3
listen = $server
ssl = no
disable_plaintext_auth = no
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
log_path = $work/dovecot.log
mail_location = mbox:$work/mail:INBOX=$work/mail/inbox
mail_access_groups = nogroup
first_valid_uid = 1
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$work/mail
}
END
    serve 143 dovecot -F -c "$work/dovecot.conf" && record mail
fi

redis() {
    client redis-benchmark -h $server -q -n 20000 -d 200 -t set,get,lpush,hset,mset &&
        awk -F, '/^\(/ { gsub(/[()'"'"' ]/, ""); print "HSET product:" $1 " name " $2 " stock " $NF }' "$work/shop" | head -3000 |
        client redis-cli -h $server
}
has redis-server redis-cli && serve 6379 redis-server --bind $server --save "" --protected-mode no && record redis

files() { client rsync -a "rsync://$server/tree/" "$work/copy/" && client rsync -az "$work/tree/" "rsync://$server/into/"; }
if has rsync; then
    mkdir -p "$work/copy" "$work/into"
    printf '[tree]\npath = %s\nuid = root\n[into]\npath = %s\nread only = no\nuid = root\n' "$work/tree" "$work/into" >"$work/rsyncd.conf"
    serve 873 rsync --daemon --no-detach --address=$server --config="$work/rsyncd.conf" && record files
fi

smb() {
    client smbclient "//$server/tree" -N -m SMB3 --option='client min protocol=NT1' \
        -c "prompt off; recurse on; lcd $work/smb; mget a*; lcd $work/tree; mput p*" &&
        client smbclient "//$server/tree" -N -m NT1 --option='client min protocol=NT1' \
            -c "prompt off; recurse on; lcd $work/smb; mget c*"
}
if has smbd smbclient; then
    mkdir -p "$work/smb" "$work/samba"
    cat >"$work/smb.conf" <<END
[global]
private dir = $work/samba
lock directory = $work/samba
state directory = $work/samba
cache directory = $work/samba
pid directory = $work/samba
ncalrpc dir = $work/samba/rpc
interfaces = $server
bind interfaces only = yes
map to guest = bad user
server min protocol = NT1
[tree]
path = $work/tree
guest ok = yes
read only = no
force user = root
END
    serve 445 smbd -F --no-process-group -s "$work/smb.conf" && record smb
fi

ftp() { client lftp -e "mirror /docs $work/ftp; mirror -R $work/ftp /upload; quit" "ftp://$server"; }
if has vsftpd lftp; then
    mkdir -p "$work/ftp" "$work/public/docs" "$work/public/upload" "$work/empty"
    cp -r "$work"/tree/a* "$work/public/docs"
    chmod 777 "$work/public/upload"
    cat >"$work/vsftpd.conf" <<END
listen=YES
background=NO
listen_address=$server
anonymous_enable=YES
anon_root=$work/public
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
secure_chroot_dir=$work/empty
seccomp_sandbox=NO
END
    serve 21 vsftpd "$work/vsftpd.conf" && record ftp
fi

print() {
    for job in "$work"/texts/*.ps; do
        client bash -c "cat '$job' >/dev/tcp/$server/9100"
    done
}
if has enscript; then
    mkdir -p "$work/texts"
    for name in $(ls -S /usr/share/doc/*/README* /usr/share/doc/*/copyright 2>/dev/null | grep -v '\.gz$' | head -60); do
        enscript -q -p "$work/texts/$(basename "$(dirname "$name")").ps" "$name" 2>/dev/null
    done
    find "$work/texts" -size +2M -delete
    # A printer, which accepts any data.
    cat >"$work/printer.py" <<END
import socket
s = socket.create_server(("$server", 9100))
while True:
    c, _ = s.accept()
    while c.recv(65536): pass
    c.close()
END
    serve 9100 python3 "$work/printer.py" && record print
fi

echo "$alerts alerts in $((bytes / 1000000)) MB"
[[ $alerts -eq 0 ]]

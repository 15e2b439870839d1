#!/usr/bin/env bash
# Measures false alerts over ordinary web traffic: public documentation and sources, served over HTTP.
#
#   ordinary.sh FOLDER [PART]     for example: ordinary.sh /tmp/ordinary 2/2
#
# Downloads packages of Debian, npm and PyPI to FOLDER (about 1.5 GB, once). Writes captures of the files of
# PART (half of them by a hash of their names, so that the other half can stay unseen), and prints how many
# alerts phitap raises. The packages contain no patient data, so every alert is false.
set -euo pipefail
[[ $# -ge 1 ]] || { sed -n 2,10p "$0"; exit 2; }
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
part=${2:-1/2}
phitap=${PHITAP:-$here/target/release/phitap}

debian="postgresql-doc-15 git-doc apache2-doc python3.11-doc r-doc-html sqlite3-doc debian-handbook libboost1.74-doc bash-doc ruby3.1-doc nodejs-doc"
npm="lodash react-dom typescript express moment bootstrap d3 chart.js three jquery vue next eslint prettier @faker-js/faker rxjs @angular/core webpack axios country-data i18n-iso-countries world-countries leaflet highlight.js ag-grid-community antd @mui/material date-fns libphonenumber-js validator"
pypi="Django pandas scikit-learn SQLAlchemy Faker Sphinx statsmodels nltk requests networkx sympy seaborn phonenumbers python-stdnum babel wagtail"

# Downloads what exists of a list; a package that was removed does not matter.
if [[ ! -e $folder/fetched ]]; then
    mkdir -p "$folder"/{debian,npm,pypi}
    cd "$folder/debian"
    for package in $debian; do apt-get -qq download "$package" || true; done
    for file in *.deb; do dpkg-deb -x "$file" "${file%%_*}" && rm "$file"; done
    cd "$folder/npm"
    for package in $npm; do npm pack --silent "$package" >/dev/null || true; done
    for file in *.tgz; do mkdir -p "${file%.tgz}" && tar -xzf "$file" -C "${file%.tgz}" && rm "$file"; done
    cd "$folder/pypi"
    for package in $pypi; do python3 -m pip download -q --no-deps "$package" || true; done
    for file in *.whl; do python3 -m zipfile -e "$file" "${file%.whl}" && rm "$file"; done
    touch "$folder/fetched"
fi

cd "$folder"
alerts=0
for kind in debian npm pypi; do
    python3 "$here/scripts/ordinary.py" $kind.pcap 250 "$part" "$folder/$kind" >$kind.files
    "$phitap" replay $kind.pcap --format ecs --reveal >$kind.events
    count=$(grep -c '"phi-finding"' $kind.events || true)
    echo "$kind: $count alerts"
    alerts=$((alerts + count))
done
echo "$alerts alerts in all; the client's address in an event is that of a line in *.files"
[[ $alerts -eq 0 ]]

#!/bin/sh
# Makes a root that can be written, in memory over this machine's own, and goes on as its systemd.
# Arguments: the folder shared with the outside, the repository, and the program that runs the agent;
# the last two are put where an installation has them.
share=$1 repository=$2 node=$3
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
lab=$repository/test/lab
mount -t proc proc /proc
mount -t tmpfs run /run
mkdir -p /run/share /run/upper /run/work /run/new
mount -t hostfs -o "$share" share /run/share || echo "LAB-FAIL share"
while read -r module; do insmod "$module" || echo "LAB-FAIL module $module"; done </run/share/modules
mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work root /run/new ||
  echo "LAB-FAIL root"
cd /run/new || exit 1
rm -rf etc/fstab etc/systemd/system
mkdir -p proc sys dev run old opt/railyard etc/railyard etc/systemd/system
mount -t devtmpfs dev dev
# As udev has it.
chmod 666 dev/net/tun
mount -t tmpfs run run
mkdir run/lab
mount -t hostfs -o "$share" share run/lab
mount --bind ".$repository" opt/railyard
[ -e usr/bin/node ] || : >usr/bin/node
mount --bind ".$node" usr/bin/node
echo railyard-guest:x:990:990::/:/usr/sbin/nologin >>etc/passwd
echo railyard-guest:x:990: >>etc/group
cp ".$lab/systemd/scripts/railyard-lab.service" ".$repository/deploy/systemd/railyard-agent.service" \
  etc/systemd/system/
# What boots a whole machine is not what is looked at here, and takes its time.
for wanted in lib/systemd/system/sysinit.target.wants/*; do
  case $wanted in *journald*) ;; *) ln -s /dev/null "etc/systemd/system/${wanted##*/}" ;; esac
done
umount /proc
pivot_root . old
umount -l /old
exec /lib/systemd/systemd --unit=railyard-lab.service --show-status=no --log-target=journal

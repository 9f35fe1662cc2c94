# Runs as process 1 of an emulated board, in user, mount and process namespaces of its own: nothing that
# it mounts or registers is seen by the machine, and all of it is gone when the board stops.
# Arguments: ROOTFS STATE TREE RUNTIME QEMU   (RUNTIME: what becomes /usr/lib/librknnrt.so; - for none)
set -eu
rootfs=$1 state=$2 tree=$3 runtime=$4 qemu=$5

echo "namespaces made"
read -r _ # the parent has mapped the users now

# A throw-away layer over the shared root file system.
mount -t tmpfs tmpfs "$state/layer"
mkdir "$state/layer/upper" "$state/layer/work" "$state/layer/root"
root=$state/layer/root
mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$state/layer/upper,workdir=$state/layer/work,userxattr" "$root"
[ "$runtime" = - ] || cp "$runtime" "$root/usr/lib/librknnrt.so"
mount --bind "$state/shared" "$root/board"

for home in root home/rock; do # what sshd gives every session (PermitUserEnvironment)
  mkdir -p "$root/$home/.ssh"
  ln -s /board/environment "$root/$home/.ssh/environment"
done

# Devices: a device node cannot be made in a user namespace, but the machine's can be shown.
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir -m 1777 "$root/dev/shm"
for node in null zero full random urandom tty; do
  touch "$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
# The NPU's render node is a file: the device double serves the card, which librknnrt 1.5.2 looks for.
cp -r "$tree/dev/dri" "$root/dev/"
rm -f "$root/dev/dri/"card* "$root/dev/dri/by-path/"*-card
chmod 660 "$root/dev/dri/"renderD*

# /proc is the kernel's own; the recorded files lie over those of this machine. /proc/device-tree cannot
# be made there: QEMU_LD_PREFIX=/overlay shows it to every emulated program (open and stat, not access).
mount -t proc proc "$root/proc"
for file in meminfo version; do
  mount --bind "$tree/proc/$file" "$root/proc/$file"
done
# The CPUs stand still: else a board would wait for this machine to be calm before every run.
cat /proc/stat >"$state/stat"
mount --bind "$state/stat" "$root/proc/stat"
mkdir -p "$root/overlay/proc"
cp -r "$tree/proc/device-tree" "$root/overlay/proc/"
cp -r "$tree/sys/." "$root/sys/"

# This user namespace's own binfmt_misc (Linux 6.7 and later): it ends with the board.
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
elf='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":qemu-aarch64:M::$elf:$mask:$qemu:PF" >/proc/sys/fs/binfmt_misc/register

# Nobody holds the other end of stdin any more (the tests were killed): switch off.
exec 3<&0
(
  read -r _ <&3 || true
  kill -TERM 1
) &

exec chroot "$root" /usr/sbin/sshd -D -e -f /board/sshd_config

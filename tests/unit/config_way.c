// SPDX-License-Identifier: BSD-3-Clause
/* Which way a port's frames take, DPDK or XDP: what is told of it, what the machine says, what is a mistake. */
#include "control/config_read.h"
#include "control/device.h"
#include "control/way.h"

#include "tests/unit/mistake_list.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct ctl_detector *const detectors[] = {NULL};

static void devices_are_told_apart_by_their_spelling(void **)
{
	static const struct {
		const char *text;
		enum ctl_device device;
	} rows[] = {
		{"0000:3b:00.0", CTL_DEVICE_PCI},
		{"3b:00.0", CTL_DEVICE_PCI},
		{"3B:00.7,mprq_en=1", CTL_DEVICE_PCI},
		{"3b:00.x", CTL_DEVICE_NONE},
		{"3b:00.", CTL_DEVICE_NONE},
		{"3b:00", CTL_DEVICE_NONE},
		{"3b:00.00", CTL_DEVICE_NONE},
		{"wxyz:3b:00.0", CTL_DEVICE_NONE},
		{"00000:3b:00.0", CTL_DEVICE_NONE},
		{"net_tap0", CTL_DEVICE_VIRTUAL},
		{"net_af_packet,iface=eth1", CTL_DEVICE_VIRTUAL},
		{"vdev:x", CTL_DEVICE_VIRTUAL},
		{"vdev:", CTL_DEVICE_NONE},
		{"net_", CTL_DEVICE_INTERFACE}, // as good a name as others
		{"eth1", CTL_DEVICE_INTERFACE},
		{"enp59s0f0np0", CTL_DEVICE_INTERFACE},
		{"wan.100@eth0", CTL_DEVICE_INTERFACE},
		{"123456789012345", CTL_DEVICE_INTERFACE},
		{"1234567890123456", CTL_DEVICE_NONE},
		{"", CTL_DEVICE_NONE},
		{".", CTL_DEVICE_NONE},
		{"..", CTL_DEVICE_NONE},
		{"a/b", CTL_DEVICE_NONE},
		{"a:b", CTL_DEVICE_NONE},
		{"a b", CTL_DEVICE_NONE},
	};
	char address[CTL_PCI_MAX];

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		print_message("%s\n", rows[i].text);
		assert_int_equal(ctl_device_of(rows[i].text), rows[i].device);
	}
	ctl_device_pci("0001:3B:00.1", address);
	assert_string_equal(address, "0001:3b:00.1");
	ctl_device_pci("3b:00.0,mprq_en=1", address);
	assert_string_equal(address, "0000:3b:00.0");
}

/* A sysfs of its own, under state. */
static int make_sysfs(void **state)
{
	*state = g_dir_make_tmp("wirecue-way-XXXXXX", NULL);
	return *state == NULL;
}

static void remove_tree(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *below = g_build_filename(path, name, NULL);

		if (g_file_test(below, G_FILE_TEST_IS_SYMLINK))
			assert_int_equal(g_unlink(below), 0);
		else
			remove_tree(below);
	}
	if (dir != NULL)
		g_dir_close(dir);
	assert_int_equal(g_rmdir(path), 0);
}

static int remove_sysfs(void **state)
{
	remove_tree(*state);
	g_free(*state);
	return 0;
}

/* A PCI device as the kernel shows it; driver and interfaces NULL: none. */
static void put_pci(
	const char *sysfs, const char *address, const char *driver, const char *const *interfaces)
{
	g_autofree char *folder = g_build_filename(sysfs, "bus/pci/devices", address, NULL);
	g_autofree char *link = g_build_filename(folder, "driver", NULL);
	g_autofree char *target = g_strconcat("../../../bus/pci/drivers/", driver, NULL);

	assert_int_equal(g_mkdir_with_parents(folder, 0755), 0);
	if (driver != NULL)
		assert_int_equal(symlink(target, link), 0);
	for (; interfaces != NULL && *interfaces != NULL; interfaces++) {
		g_autofree char *net = g_build_filename(folder, "net", *interfaces, NULL);

		assert_int_equal(g_mkdir_with_parents(net, 0755), 0);
	}
}

struct way_row {
	struct ctl_port port;
	enum dp_duplicates_mode duplicates;
	bool is_xdp;
	const char *interface, *why, *refused; // refused NULL: it is not
};

static void assert_way(const struct way_row *row, const char *sysfs)
{
	const struct ctl_config config = {.duplicates = (int)row->duplicates};
	struct ctl_way way;

	print_message("%s driver %d role %d\n", row->port.device, row->port.driver, row->port.role);
	ctl_way_of(&config, &row->port, sysfs, &way);
	assert_int_equal(way.is_xdp, row->is_xdp);
	assert_string_equal(way.interface, row->interface);
	assert_string_equal(way.why, row->why);
	if (row->refused == NULL)
		assert_string_equal(way.refused, "");
	else
		assert_non_null(strstr(way.refused, row->refused));
}

#define DEVICE(text) .device = (char *)(text)

static void a_device_goes_its_way_and_says_why(void **state)
{
	static const struct way_row rows[] = {
		{{DEVICE("eth1")}, 0, true, "eth1", "it is an interface of the kernel", NULL},
		{{DEVICE("eth1"), .driver = CTL_DRIVER_XDP}, 0, true, "eth1", "driver: xdp", NULL},
		{{DEVICE("net_0"), .driver = CTL_DRIVER_XDP}, 0, true, "net_0", "driver: xdp",
			NULL},
		{{DEVICE("net_tap0")}, 0, false, "", "it is a device of DPDK's", NULL},
		{{DEVICE("01:00.0")}, 0, false, "", "it is bound to vfio-pci", NULL},
		{{DEVICE("02:00.0")}, 0, false, "", "mlx5_core shares it with DPDK", NULL},
		{{DEVICE("03:00.0")}, 0, true, "eth3", "it belongs to the kernel's ixgbe", NULL},
		{{DEVICE("0000:03:00.0")}, DP_DUPLICATES_DROP, false, "",
			"duplicates: drop has to see each packet", NULL},
		{{DEVICE("04:00.0")}, 0, false, "", "it is bound to no driver", NULL},
		{{DEVICE("05:00.0")}, 0, false, "", "nvme has no interface of it", NULL},
		{{DEVICE("06:00.0")}, 0, false, "", "there is no such PCI device here", NULL},
		{{DEVICE("03:00.0"), .driver = CTL_DRIVER_DPDK}, 0, false, "", "driver: dpdk",
			NULL},
		{{DEVICE("02:00.0"), .driver = CTL_DRIVER_XDP}, 0, true, "eth20", "driver: xdp",
			NULL},
		{{DEVICE("02:00.0"), .role = CTL_ROLE_HOST}, 0, true, "eth20", "role: host", NULL},
		{{DEVICE("01:00.0"), .role = CTL_ROLE_HOST}, 0, true, "", "role: host",
			"PCI device 0000:01:00.0 has no interface for XDP: it is bound to vfio-pci"},
		{{DEVICE("04:00.0"), .driver = CTL_DRIVER_XDP}, 0, true, "", "driver: xdp",
			"it is bound to no driver"},
		{{DEVICE("06:00.0"), .driver = CTL_DRIVER_XDP}, 0, true, "", "driver: xdp",
			"cannot find PCI device 0000:06:00.0"},
	};
	static const char *const mlx[] = {"eth21", "eth20", NULL}, *const ixgbe[] = {"eth3", NULL};

	put_pci(*state, "0000:01:00.0", "vfio-pci", NULL);
	put_pci(*state, "0000:02:00.0", "mlx5_core", mlx);
	put_pci(*state, "0000:03:00.0", "ixgbe", ixgbe);
	put_pci(*state, "0000:04:00.0", NULL, NULL);
	put_pci(*state, "0000:05:00.0", "nvme", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_way(&rows[i], *state);
}

static void assert_wrong(const char *keys, const char *expected)
{
	g_autofree char *text = g_strconcat("privacy: {subject: plain}\n", keys, NULL);
	GString *lines = g_string_new(NULL);

	(void)ctl_config_check_text(text, strlen(text), detectors, mistake_append, lines);
	assert_lines(lines->str, expected);
	g_string_free(lines, TRUE);
}

static void what_the_other_way_alone_can_is_a_mistake(void **)
{
	assert_wrong("ports:\n"
		     "- {name: a, device: net_tap0, role: host, xdp_mode: generic}\n"
		     "- {name: b, device: eth1, driver: dpdk, role: host, xdp_mode: native}\n"
		     "- {name: c, device: \"3b:00.0,x=1\", driver: xdp}\n"
		     "- {name: d, device: \"net_tap,x=1\", driver: xdp, role: host}\n"
		     "- {name: e, device: eth2, mtu: 9000, spread: device}\n"
		     "- {name: f, device: eth3, role: host, xdp_mode: fast}\n"
		     "workers: {duplicates: drop}\n"
		     "xdp: {flows: 1, entries: x, ring: 2GiB, size: 1}\n",
		"wirecue.yaml:3:37: 'host', expected tap: DPDK has this device, and only XDP lets "
		"frames go on to the host\n"
		"wirecue.yaml:4:21: 'eth1', expected a PCI address or a virtual device such as "
		"\"net_af_packet,iface=eth1\" with driver: dpdk\n"
		"wirecue.yaml:4:47: 'host', expected tap with driver: dpdk: only XDP lets frames go "
		"on to the host\n"
		"wirecue.yaml:4:63: 'native', expected none: DPDK has this port\n"
		"wirecue.yaml:5:21: '3b:00.0,x=1', expected an interface of the kernel such as "
		"eth1, or a PCI address without arguments: XDP has this port\n"
		"wirecue.yaml:6:21: 'net_tap,x=1', expected an interface of the kernel such as "
		"eth1, or a PCI address without arguments: XDP has this port\n"
		"wirecue.yaml:7:32: '9000', expected none with XDP, which takes the interface as it "
		"is (ip link set dev eth1 mtu 9000)\n"
		"wirecue.yaml:7:46: 'device', expected receiver or auto: XDP has this port\n"
		"wirecue.yaml:8:49: 'fast', expected one of auto, native, generic\n"
		"wirecue.yaml:9:23: 'drop', expected watch or off: XDP (a) keeps packets that would "
		"have to be compared\n"
		"wirecue.yaml:10:14: '1', expected 1k to 256M\n"
		"wirecue.yaml:10:26: 'x', expected a count such as 17, 512k or 4M\n"
		"wirecue.yaml:10:35: '2GiB', expected 256KiB to 1GiB\n"
		"wirecue.yaml:10:41: 'size', expected a known key (flows, entries, ring, persist, pins)");
}

static void both_ways_take_what_they_can(void **)
{
	assert_wrong("ports:\n"
		     "- {name: a, device: net_tap0, role: tap, mtu: 1500, spread: device}\n"
		     "- {name: b, device: \"3b:00.0\", mtu: 9000, spread: device}\n"
		     "- {name: c, device: \"3b:00.1\", role: host}\n"
		     "- {name: d, device: eth1, cpus: [1], spread: receiver, xdp_mode: native}\n"
		     "- {name: e, device: net_1, driver: xdp, ignore: {vlans: [7]}}\n"
		     "- {name: f, device: \"3b:00.2\", driver: xdp}\n"
		     "workers: {duplicates: watch}\n"
		     "xdp: {flows: 2M, entries: 64k, ring: 4MiB}\n",
		"");
	assert_wrong("ports: [{name: b, device: \"3b:00.0\"}]\nworkers: {duplicates: drop}\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_told_apart_by_their_spelling),
		cmocka_unit_test_setup_teardown(
			a_device_goes_its_way_and_says_why, make_sysfs, remove_sysfs),
		cmocka_unit_test(what_the_other_way_alone_can_is_a_mistake),
		cmocka_unit_test(both_ways_take_what_they_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

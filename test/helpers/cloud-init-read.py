"""Reads an instance's metadata with cloud-init's own code and prints what it understood as JSON.

Usage: cloud-init-read.py OpenStack|Ec2 <scratch directory>, inside the instance's network namespace with its own /sys.
Only the question "which cloud is this machine on" is answered here: it looks at the hardware, which is the test machine's.
"""

import json
import logging
import sys

from cloudinit import distros, helpers
from cloudinit.sources import DataSourceEc2, DataSourceOpenStack

kind, scratch = sys.argv[1], sys.argv[2]
logging.basicConfig(stream=sys.stderr, level=logging.WARNING)

DataSourceOpenStack.detect_openstack = lambda *args, **kwargs: True
DataSourceEc2.identify_platform = lambda: DataSourceEc2.CloudNames.UNKNOWN

settings = {"metadata_urls": ["http://169.254.169.254"], "max_wait": 10, "timeout": 5, "retries": 0}
config = {
    "datasource_list": [kind],
    "datasource": {kind: {**settings, "strict_id": "false"}},
}
paths = helpers.Paths({"cloud_dir": scratch, "run_dir": scratch})
distro = distros.fetch("debian")("debian", config, paths)
sources = {
    "OpenStack": DataSourceOpenStack.DataSourceOpenStack,
    "Ec2": DataSourceEc2.DataSourceEc2,
}
source = sources[kind](config, distro, paths)
found = source.get_data()

hostname = source.get_hostname(fqdn=True)
json.dump(
    {
        "found": found,
        "instanceId": source.get_instance_id(),
        "hostname": getattr(hostname, "hostname", hostname),
        "availabilityZone": source.availability_zone,
        "userData": (source.get_userdata_raw() or b"").decode("utf-8", "replace")
        if isinstance(source.get_userdata_raw(), bytes)
        else source.get_userdata_raw(),
        "network": source.network_config,
        "localIpv4": source.metadata.get("local-ipv4"),
    },
    sys.stdout,
)

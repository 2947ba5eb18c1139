"""What an SR is made of: its index, its disks, their recovery after a crash, and the host's access to them."""

"""One Ceph node: turns a declarative document into running mon, mgr and OSD daemons, at every boot."""

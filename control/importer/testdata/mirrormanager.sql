-- The tables of a MirrorManager2 as far as they are read, with some rows that are
-- good and some that are not. SQLite and PostgreSQL both understand it.
CREATE TABLE site (id INTEGER PRIMARY KEY, name TEXT, password TEXT, org_url TEXT, private BOOLEAN, admin_active BOOLEAN, user_active BOOLEAN, all_sites_can_pull_from_me BOOLEAN, downstream_comments TEXT);
INSERT INTO site VALUES (1, 'Uni', 'secret', 'https://uni.example.org/', FALSE, TRUE, TRUE, TRUE, 'hello');
CREATE TABLE site_admin (id INTEGER PRIMARY KEY, username TEXT, site_id INTEGER);
INSERT INTO site_admin VALUES (1, 'anna', 1), (2, 'anna', 1), (3, 'bob', 99);
CREATE TABLE host (id INTEGER PRIMARY KEY, name TEXT, site_id INTEGER, robot_email TEXT, admin_active BOOLEAN, user_active BOOLEAN, disable_reason TEXT, country TEXT, bandwidth_int INTEGER, comment TEXT, private BOOLEAN, internet2 BOOLEAN, asn INTEGER, asn_clients BOOLEAN, max_connections INTEGER, latitude DOUBLE PRECISION, longitude DOUBLE PRECISION);
INSERT INTO host VALUES
 (7, 'de1', 1, 'robot@example.org', TRUE, TRUE, NULL, 'de', 1000, NULL, FALSE, TRUE, 680, TRUE, 4, 52.5, 13.25),
 (8, 'a/b', 1, 'no address', TRUE, TRUE, NULL, 'Germany', 100, NULL, FALSE, FALSE, 5, FALSE, 1, NULL, NULL);
CREATE TABLE host_acl_ip (id INTEGER PRIMARY KEY, ip TEXT, host_id INTEGER);
INSERT INTO host_acl_ip VALUES (1, '192.0.2.9', 7), (2, 'junk here', 7);
CREATE TABLE host_country (id INTEGER PRIMARY KEY, host_id INTEGER, country_id INTEGER);
INSERT INTO host_country VALUES (1, 7, 1);
CREATE TABLE host_country_allowed (id INTEGER PRIMARY KEY, host_id INTEGER, country TEXT);
INSERT INTO host_country_allowed VALUES (1, 7, 'DE'), (2, 7, 'at'), (3, 8, 'Mars');
CREATE TABLE host_netblock (id INTEGER PRIMARY KEY, host_id INTEGER, netblock TEXT, name TEXT);
INSERT INTO host_netblock VALUES (1, 7, '192.0.2.7/24', ''), (2, 7, '198.51.100.1/255.255.255.128', ''), (3, 7, 'office.example.org', ''), (4, 7, '2001:db8::1', ''), (5, 7, 'everything', '');
CREATE TABLE host_peer_asn (id INTEGER PRIMARY KEY, host_id INTEGER, asn INTEGER, name TEXT);
INSERT INTO host_peer_asn VALUES (1, 7, 553, ''), (2, 7, -1, '');
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, publiclist BOOLEAN);
INSERT INTO product VALUES (1, 'Fedora', TRUE);
CREATE TABLE version (id INTEGER PRIMARY KEY, name TEXT, product_id INTEGER, codename TEXT, is_test BOOLEAN);
INSERT INTO version VALUES (1, '43', 1, NULL, FALSE);
CREATE TABLE arch (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO arch VALUES (1, 'x86_64');
CREATE TABLE directory (id INTEGER PRIMARY KEY, name TEXT, files TEXT, readable BOOLEAN, ctime BIGINT);
INSERT INTO directory VALUES
 (1, 'pub/fedora/linux', '[]', TRUE, 5),
 (2, 'pub/fedora/linux/43', '[{"name": "repomd.xml", "size": "30", "timestamp": 300}, {"name": "a.rpm", "size": 9, "timestamp": 200.5}]', TRUE, 6),
 (3, 'pub/fedora/linux/44', '(dp0', FALSE, 7),
 (4, 'pub/fedora/linux-old', NULL, TRUE, 8);
CREATE TABLE file_detail (id INTEGER PRIMARY KEY, directory_id INTEGER, filename TEXT, timestamp BIGINT, size BIGINT, sha1 TEXT, md5 TEXT, sha256 TEXT, sha512 TEXT);
INSERT INTO file_detail VALUES
 (1, 2, 'repomd.xml', 200, 20, NULL, NULL, 'e5b844cc57f57094ea4585e235f36c78c1cd222262bb89d53c94dcb4d6b3e55d', NULL),
 (2, 2, 'repomd.xml', 300, 30, NULL, '12345678901234567890123456789012', '0000000000000000000000000000000000000000000000000000000000000001', NULL),
 (3, 2, 'repomd.xml', 100, 10, 'short', NULL, NULL, NULL);
CREATE TABLE category (id INTEGER PRIMARY KEY, name TEXT, product_id INTEGER, topdir_id INTEGER, admin_only BOOLEAN);
INSERT INTO category VALUES (1, 'Fedora Linux', 1, 1, FALSE), (2, 'Lost', NULL, NULL, FALSE);
CREATE TABLE category_directory (category_id INTEGER, directory_id INTEGER);
INSERT INTO category_directory VALUES (1, 1), (1, 2), (1, 3), (1, 4);
CREATE TABLE host_category (id INTEGER PRIMARY KEY, host_id INTEGER, category_id INTEGER, always_up2date BOOLEAN);
INSERT INTO host_category VALUES (1, 7, 1, FALSE), (2, 8, 1, TRUE);
CREATE TABLE host_category_url (id INTEGER PRIMARY KEY, host_category_id INTEGER, url TEXT, private BOOLEAN);
INSERT INTO host_category_url VALUES (1, 1, 'https://de1.example.org/fedora/', FALSE), (2, 1, 'rsync://de1.example.org/private', TRUE), (3, 2, 'gopher://x/', FALSE);
CREATE TABLE host_category_dir (id INTEGER PRIMARY KEY, host_category_id INTEGER, path TEXT, up2date BOOLEAN, directory_id INTEGER);
INSERT INTO host_category_dir VALUES (1, 1, '', TRUE, 1), (2, 1, '43', TRUE, 2), (3, 1, '44', FALSE, 3), (4, 1, 'gone', TRUE, NULL);
CREATE TABLE repository (id INTEGER PRIMARY KEY, prefix TEXT, category_id INTEGER, version_id INTEGER, arch_id INTEGER, directory_id INTEGER, disabled BOOLEAN);
INSERT INTO repository VALUES (1, 'fedora-43', 1, 1, 1, 2, FALSE), (2, NULL, 1, 1, 1, 2, FALSE);
CREATE TABLE repository_redirect (id INTEGER PRIMARY KEY, from_repo TEXT, to_repo TEXT);
INSERT INTO repository_redirect VALUES (1, 'fedora', 'fedora-43'), (2, 'nothing', NULL);
CREATE TABLE country_continent_redirect (id INTEGER PRIMARY KEY, country TEXT, continent TEXT);
INSERT INTO country_continent_redirect VALUES (1, 'IL', 'EU');
CREATE TABLE netblock_country (id INTEGER PRIMARY KEY, netblock TEXT, country TEXT);
INSERT INTO netblock_country VALUES (1, '10.0.0.0/8', 'FR');
CREATE TABLE embargoed_country (id INTEGER PRIMARY KEY, country_code TEXT);
INSERT INTO embargoed_country VALUES (1, 'KP');
CREATE TABLE mm_user (id INTEGER PRIMARY KEY, user_name TEXT, email TEXT);
INSERT INTO mm_user VALUES (1, 'anna', 'anna@example.org'), (2, 'bob', 'nowhere');

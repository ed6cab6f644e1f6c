#include "orchestrator/trust/authority.h"

#include <sys/stat.h>

#include <fstream>
#include <memory>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <catch2/catch.hpp>

#include "tests/orchestrator/trust/cluster.h"

namespace shoal {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_REQ* request) const { X509_REQ_free(request); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Owned<X509> certificate_of(const std::string& pem) {
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Owned<X509> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  REQUIRE(certificate);
  return certificate;
}

std::string text_of(const Owned<BIO>& bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

/// A request that asks to become an authority under another name, with any key.
std::string greedy_request(EVP_PKEY& key) {
  const Owned<X509_REQ> request(X509_REQ_new());
  const auto* const name = reinterpret_cast<const unsigned char*>("n-somebodyelse");
  X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_ASC, name, -1,
                             -1, 0);
  STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
  for (const auto& [nid, value] : {std::pair(NID_basic_constraints, "critical,CA:TRUE"),
                                   std::pair(NID_subject_alt_name, "DNS:*.example.com")}) {
    auto* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    REQUIRE(extension != nullptr);
    sk_X509_EXTENSION_push(extensions, extension);
  }
  X509_REQ_add_extensions(request.get(), extensions);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  X509_REQ_set_pubkey(request.get(), &key);
  REQUIRE(X509_REQ_sign(request.get(), &key, EVP_sha256()) > 0);
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), request.get());
  return text_of(bio);
}

TEST_CASE("An authority is made once and found again", "[orchestrator][trust]") {
  const TempFolder folder;
  CHECK(Authority::load(folder.path() / "a").error().code == Errc::member_unknown);
  const auto made = Authority::load_or_create(folder.path() / "a");
  REQUIRE(made);
  const auto found = Authority::load_or_create(folder.path() / "a");
  REQUIRE(found);
  CHECK(found->fingerprint() == made->fingerprint());
  CHECK(found->cluster_id() == made->cluster_id());
  CHECK(found->cluster_id().starts_with("c-"));
  CHECK(found->fingerprint().size() == 64);

  struct stat status {};
  REQUIRE(::stat((folder.path() / "a" / "authority.pem").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  REQUIRE(::stat((folder.path() / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("A kill while the authority is made leaves none, and the next start makes it",
          "[orchestrator][trust]") {
  const TempFolder folder;
  std::ofstream(folder.path() / "authority.pem.new") << "-----BEGIN PRIV";
  CHECK(Authority::load(folder.path()).error().code == Errc::member_unknown);
  CHECK(Authority::load_or_create(folder.path()));
}

TEST_CASE("A damaged or foreign authority is called so and not replaced", "[orchestrator][trust]") {
  const TempFolder folder;
  REQUIRE(Authority::load_or_create(folder.path() / "a"));
  REQUIRE(Authority::load_or_create(folder.path() / "b"));
  const auto path = folder.path() / "a" / "authority.pem";
  std::ifstream other(folder.path() / "b" / "authority.pem");
  const std::string text((std::istreambuf_iterator<char>(other)), {});
  std::ifstream own(path);
  const std::string before((std::istreambuf_iterator<char>(own)), {});
  const auto key_end = text.find("-----BEGIN CERTIFICATE");
  std::ofstream(path, std::ios::trunc)
      << text.substr(0, key_end) << before.substr(before.find("-----BEGIN CERTIFICATE"));
  const auto loaded = Authority::load_or_create(folder.path() / "a");
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == Errc::corrupt);
}

TEST_CASE("A node's certificate names the node and signs nothing, whatever was asked for",
          "[orchestrator][trust]") {
  const TestCluster cluster;
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const auto id = *make_node_id();
  const auto signed_pem = cluster.authority.sign(greedy_request(*key), id, 1h);
  REQUIRE(signed_pem);
  const auto certificate = certificate_of(*signed_pem);
  CHECK(X509_check_ca(certificate.get()) == 0);
  CHECK(X509_check_host(certificate.get(), id.data(), id.size(), 0, nullptr) == 1);
  CHECK(X509_check_host(certificate.get(), "a.example.com", 0, 0, nullptr) == 0);
  CHECK(X509_check_host(certificate.get(), "n-somebodyelse", 0, 0, nullptr) == 0);
  CHECK((X509_get_extended_key_usage(certificate.get()) & (XKU_SSL_CLIENT | XKU_SSL_SERVER)) ==
        (XKU_SSL_CLIENT | XKU_SSL_SERVER));
  CHECK(X509_get_key_usage(certificate.get()) == KU_DIGITAL_SIGNATURE);
  CHECK(X509_cmp_current_time(X509_get0_notBefore(certificate.get())) < 0);
  CHECK(X509_cmp_current_time(X509_get0_notAfter(certificate.get())) > 0);

  const auto again = certificate_of(*cluster.authority.sign(greedy_request(*key), id, 1h));
  CHECK(ASN1_INTEGER_cmp(X509_get0_serialNumber(certificate.get()),
                         X509_get0_serialNumber(again.get())) != 0);
}

TEST_CASE("An authority refuses what is not a P-256 key's own request", "[orchestrator][trust]") {
  const TestCluster cluster;
  const auto id = *make_node_id();
  const auto refused = [&](const std::string& request) {
    const auto certificate = cluster.authority.sign(request, id, 1h);
    REQUIRE_FALSE(certificate);
    CHECK(certificate.error().code == Errc::bad_request);
  };
  refused("");
  refused("no PEM");
  refused(cluster.authority.certificate_pem());
  const Owned<EVP_PKEY> rsa(EVP_RSA_gen(2048));
  refused(greedy_request(*rsa));
  const Owned<EVP_PKEY> larger(EVP_EC_gen("P-384"));
  refused(greedy_request(*larger));

  // A letter in the middle of the signed part is another one now.
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  auto tampered = greedy_request(*key);
  const auto at = tampered.find('\n') + 80;
  tampered[at] = tampered[at] == 'A' ? 'B' : 'A';
  refused(tampered);

  for (const auto* const bad : {"", "n-short", "n-ABCDEFGHIJ", "n-abcdefghi1", "c-abcdefghij",
                                "n-abcdefghij,DNS:other", "*"}) {
    CHECK(cluster.authority.sign(greedy_request(*key), bad, 1h).error().code == Errc::bad_request);
  }
  CHECK_FALSE(cluster.authority.sign(greedy_request(*key), id, 0s));
}

TEST_CASE("An authority does not sign its own key for a node", "[orchestrator][trust]") {
  const TestCluster cluster;
  std::ifstream file(cluster.folder.path() / "trust" / "authority.pem");
  const std::string pem((std::istreambuf_iterator<char>(file)), {});
  const auto request = make_signing_request(pem, *make_node_id());
  REQUIRE(request);
  CHECK_FALSE(cluster.authority.sign(*request, *make_node_id(), 1h));
}

TEST_CASE("A node is known by a valid certificate of this cluster and its key's signature alone",
          "[orchestrator][trust]") {
  const TestCluster cluster;
  const TestCluster other;
  const auto node = cluster.identity();
  const auto stranger = other.identity();
  const auto identify = [&](const NodeIdentity& shown, const NodeIdentity& signer) {
    return cluster.authority.identify(shown.certificate_pem, *signer.make_csr());
  };
  REQUIRE(identify(node, node));
  CHECK(*identify(node, node) == node.node_id);
  CHECK(identify(stranger, stranger).error().code == Errc::denied);
  CHECK(identify(node, cluster.identity()).error().code == Errc::denied);
  CHECK(cluster.authority.identify("none", *node.make_csr()).error().code == Errc::bad_request);
  CHECK_FALSE(cluster.authority.identify(cluster.authority.certificate_pem(), *node.make_csr()));
}

TEST_CASE("An expired certificate identifies nobody", "[orchestrator][trust]") {
  const TempFolder folder;
  ManualClock clock;
  const auto authority = Authority::load_or_create(folder.path(), clock);
  REQUIRE(authority);
  const auto node = NodeIdentity::issue(*authority, *make_node_id(), 100s);
  REQUIRE(node);
  CHECK(node->expires - node->issued == 100s);
  CHECK(authority->identify(node->certificate_pem, *node->make_csr()));
  clock.advance(101s);
  CHECK(authority->identify(node->certificate_pem, *node->make_csr()).error().code == Errc::denied);
}

TEST_CASE("An identity is saved whole, for its owner alone, and found again",
          "[orchestrator][trust]") {
  const TestCluster cluster;
  const auto node = cluster.identity();
  const TempFolder folder;
  CHECK(NodeIdentity::load(folder.path()).error().code == Errc::member_unknown);
  REQUIRE(node.save(folder.path()));
  struct stat status {};
  REQUIRE(::stat((folder.path() / "node.pem").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const auto loaded = NodeIdentity::load(folder.path());
  REQUIRE(loaded);
  CHECK(loaded->node_id == node.node_id);
  CHECK(loaded->cluster_id == cluster.authority.cluster_id());
  CHECK(loaded->key_pem == node.key_pem);
  CHECK(loaded->certificate_pem == node.certificate_pem);
  CHECK(loaded->authority_pem == cluster.authority.certificate_pem());
  CHECK(loaded->authority_fingerprint == cluster.authority.fingerprint());
  CHECK(loaded->expires == node.expires);

  std::ofstream(folder.path() / "node.pem", std::ios::trunc) << node.key_pem;
  CHECK(NodeIdentity::load(folder.path()).error().code == Errc::corrupt);
}

TEST_CASE("An identity takes no certificate of another key, node or authority",
          "[orchestrator][trust]") {
  const TestCluster cluster;
  const TestCluster other;
  const auto node = cluster.identity();
  const auto next = cluster.authority.sign(*node.make_csr(), node.node_id, 2h);
  REQUIRE(next);
  const auto renewed = node.renewed(*next);
  REQUIRE(renewed);
  CHECK(renewed->expires > node.expires);
  CHECK_FALSE(node.renewed(cluster.identity().certificate_pem));
  CHECK_FALSE(node.renewed(*cluster.authority.sign(*node.make_csr(), *make_node_id(), 1h)));
  CHECK_FALSE(node.renewed(*other.authority.sign(*node.make_csr(), node.node_id, 1h)));
}

}  // namespace
}  // namespace shoal

// A Vault server for tests: Vault's own core with AppRole and key/value stores, kept in memory, on a free port of the loopback address. Vault's own
// command brings a thousand packages more, which take minutes to build. It prints its address and root token as JSON, and ends with its standard input.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

func main() {
	if err := serve(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	core, rootToken, err := unsealedCore(ctx)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := map[string]string{"url": "http://" + listener.Addr().String(), "token": rootToken}
	if err := json.NewEncoder(os.Stdout).Encode(server); err != nil {
		return err
	}
	return http.Serve(listener, vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core}))
}

func unsealedCore(ctx context.Context) (*vault.Core, string, error) {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr})
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return nil, "", err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		DisableMlock:       true,
		Logger:             logger,
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		BuiltinRegistry:    plugins{"approle": consts.PluginTypeCredential, "kv": consts.PluginTypeSecrets},
	})
	if err != nil {
		return nil, "", err
	}
	initialized, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
		RecoveryConfig: &vault.SealConfig{},
	})
	if err != nil {
		return nil, "", err
	}
	_, err = core.Unseal(initialized.SecretShares[0])
	return core, initialized.RootToken, err
}

// What this server knows of, by name; the two are built in above.
type plugins map[string]consts.PluginType

func (known plugins) Contains(name string, kind consts.PluginType) bool {
	found, ok := known[name]
	return ok && found == kind
}

func (known plugins) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	return nil, false
}

func (known plugins) Keys(kind consts.PluginType) []string {
	var names []string
	for name, found := range known {
		if found == kind {
			names = append(names, name)
		}
	}
	return names
}

func (known plugins) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, known.Contains(name, kind)
}

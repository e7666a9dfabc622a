// Reconciles the Kustomization of Flux on standard input as its kustomize-controller does, with that controller's
// libraries: builds a folder of a checkout, applies the objects, prunes those that it applied before and no longer
// builds, and waits until the others are healthy. Prints a line an object that changed. With files as arguments, it only
// checks that they hold objects of Flux; with -expressions, it prints the health of each JSON object on standard input.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/object"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	generator "github.com/fluxcd/pkg/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"github.com/fluxcd/pkg/ssa/utils"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"
)

const manager = "kustomize-controller"

var group = kustomizev1.GroupVersion.Group

func main() {
	log.SetLogger(logr.Discard())
	// The libraries have flags of their own.
	flags := flag.NewFlagSet("flux", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "the kubeconfig of the controller")
	checkout := flags.String("checkout", "", "the folder of the source at a revision")
	inventory := flags.String("inventory", "", "the file with the objects of the last run, as the Kustomization's status has them")
	expressions := flags.String("expressions", "", "a file with the list healthCheckExprs")
	_ = flags.Parse(os.Args[1:])
	var err error
	if flags.NArg() > 0 {
		err = check(flags.Args())
	} else if *expressions != "" {
		err = evaluate(context.Background(), *expressions, os.Stdin)
	} else {
		err = run(context.Background(), *kubeconfig, *checkout, *inventory, os.Stdin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Checks that files hold Flux's objects only, with fields that exist.
func check(files []string) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		objects, err := utils.ReadObjects(bytes.NewReader(text))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, found := range objects {
			var of any
			switch found.GroupVersionKind() {
			case kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind):
				of = &kustomizev1.Kustomization{}
			case sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind):
				of = &sourcev1.GitRepository{}
			default:
				return fmt.Errorf("%s: %s is no object of Flux", file, utils.FmtUnstructured(found))
			}
			text, err := found.MarshalJSON()
			if err != nil {
				return err
			}
			if err := yaml.UnmarshalStrict(text, of); err != nil {
				return fmt.Errorf("%s: %s: %w", file, utils.FmtUnstructured(found), err)
			}
		}
	}
	return nil
}

// Prints a line an object: its status by the expressions for its kind, or why it is unknown.
func evaluate(ctx context.Context, file string, in io.Reader) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var checks []kustomize.CustomHealthCheck
	if err := yaml.UnmarshalStrict(text, &checks); err != nil {
		return err
	}
	for objects := json.NewDecoder(in); ; {
		var raw json.RawMessage
		if err := objects.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		one := &unstructured.Unstructured{}
		if err := one.UnmarshalJSON(raw); err != nil {
			return err
		}
		index := slices.IndexFunc(checks, func(check kustomize.CustomHealthCheck) bool {
			return check.APIVersion == one.GetAPIVersion() && check.Kind == one.GetKind()
		})
		if index < 0 {
			fmt.Println("no expressions")
			continue
		}
		evaluator, err := cel.NewStatusEvaluator(&checks[index].HealthCheckExpressions)
		if err != nil {
			return err
		}
		if result, err := evaluator.Evaluate(ctx, one); err != nil {
			fmt.Printf("Unknown: %v\n", err)
		} else {
			fmt.Println(result.Status)
		}
	}
}

func run(ctx context.Context, kubeconfig, checkout, inventory string, in io.Reader) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var of kustomizev1.Kustomization
	if err := yaml.UnmarshalStrict(text, &of); err != nil {
		return err
	}
	objects, err := build(&of, checkout)
	if err != nil {
		return err
	}
	resources, err := resourceManager(&of, kubeconfig)
	if err != nil {
		return err
	}
	resources.SetOwnerLabels(objects, of.Name, of.Namespace)
	applied, err := apply(ctx, &of, resources, objects)
	if err != nil {
		return err
	}
	show(applied)
	pruned, err := prune(ctx, &of, resources, applied, inventory)
	if err != nil {
		return err
	}
	show(pruned)
	return wait(ctx, &of, resources, applied)
}

func show(changes *ssa.ChangeSet) {
	for _, entry := range changes.Entries {
		if entry.Action != ssa.UnchangedAction && entry.Action != ssa.SkippedAction {
			fmt.Println(entry.String())
		}
	}
}

// The objects of the folder that the Kustomization names. It is built in a copy: the controller writes into it.
func build(of *kustomizev1.Kustomization, checkout string) ([]*unstructured.Unstructured, error) {
	if of.Spec.PostBuild != nil || of.Spec.Decryption != nil || of.Spec.KubeConfig != nil || of.Spec.CommonMetadata != nil {
		return nil, errors.New("this reads neither postBuild nor decryption, kubeConfig or commonMetadata")
	}
	root, err := os.MkdirTemp("", "checkout-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	if err := os.CopyFS(root, os.DirFS(checkout)); err != nil {
		return nil, err
	}
	folder := filepath.Join(root, of.Spec.Path)
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(of)
	if err != nil {
		return nil, err
	}
	if _, err := generator.NewGenerator(root, unstructured.Unstructured{Object: fields}).WriteFile(folder); err != nil {
		return nil, err
	}
	built, err := generator.SecureBuild(root, folder, false)
	if err != nil {
		return nil, err
	}
	text, err := built.AsYaml()
	if err != nil {
		return nil, err
	}
	return utils.ReadObjects(bytes.NewReader(text))
}

func resourceManager(of *kustomizev1.Kustomization, kubeconfig string) (*ssa.ResourceManager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	if account := of.Spec.ServiceAccountName; account != "" {
		user := fmt.Sprintf("system:serviceaccount:%s:%s", of.Namespace, account)
		config.Impersonate = rest.ImpersonationConfig{UserName: user}
	}
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, http)
	if err != nil {
		return nil, err
	}
	with, err := client.New(config, client.Options{HTTPClient: http, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	var readers []engine.StatusReader
	if len(of.Spec.HealthCheckExprs) > 0 {
		reader, err := cel.NewStatusReader(of.Spec.HealthCheckExprs)
		if err != nil {
			return nil, err
		}
		readers = append(readers, reader(mapper))
	}
	poller := polling.NewStatusPoller(with, mapper, polling.Options{CustomStatusReaders: readers})
	return ssa.NewResourceManager(with, poller, ssa.Owner{Field: manager, Group: group}), nil
}

// Applies the objects. What kubectl wrote is taken over first, so that it goes unless it is in Git.
func apply(ctx context.Context, of *kustomizev1.Kustomization, resources *ssa.ResourceManager,
	objects []*unstructured.Unstructured) (*ssa.ChangeSet, error) {
	if err := normalize.UnstructuredList(objects); err != nil {
		return nil, err
	}
	options := ssa.DefaultApplyOptions()
	options.Force = of.Spec.Force
	options.ExclusionSelector = map[string]string{
		group + "/reconcile": kustomizev1.DisabledValue,
		group + "/ssa":       kustomizev1.IgnoreValue,
	}
	options.IfNotPresentSelector = map[string]string{group + "/ssa": kustomizev1.IfNotPresentValue}
	options.ForceSelector = map[string]string{group + "/force": kustomizev1.EnabledValue}
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{corev1.LastAppliedConfigAnnotation},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: manager, OperationType: metav1.ManagedFieldsOperationUpdate},
		},
		Exclusions: map[string]string{group + "/ssa": kustomizev1.MergeValue},
	}
	return resources.ApplyAllStaged(ctx, objects, options)
}

// An object of the inventory.
type entry struct {
	Group, Version, Kind, Namespace, Name string
}

// Deletes what the inventory lists and this run did not apply, and writes the new inventory.
func prune(ctx context.Context, of *kustomizev1.Kustomization, resources *ssa.ResourceManager, applied *ssa.ChangeSet,
	file string) (*ssa.ChangeSet, error) {
	var before, now []entry
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &before)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	is := map[object.ObjMetadata]bool{}
	for _, change := range applied.Entries {
		id := change.ObjMetadata
		is[id] = true
		now = append(now, entry{id.GroupKind.Group, change.GroupVersion, id.GroupKind.Kind, id.Namespace, id.Name})
	}
	if text, err = json.Marshal(now); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil || !of.Spec.Prune {
		return ssa.NewChangeSet(), err
	}
	var stale []*unstructured.Unstructured
	for _, gone := range before {
		kind := schema.GroupKind{Group: gone.Group, Kind: gone.Kind}
		if !is[object.ObjMetadata{GroupKind: kind, Namespace: gone.Namespace, Name: gone.Name}] {
			one := &unstructured.Unstructured{}
			one.SetGroupVersionKind(kind.WithVersion(gone.Version))
			one.SetNamespace(gone.Namespace)
			one.SetName(gone.Name)
			stale = append(stale, one)
		}
	}
	return resources.DeleteAll(ctx, stale, ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        resources.GetOwnerLabels(of.Name, of.Namespace),
		Exclusions: map[string]string{
			group + "/prune":     kustomizev1.DisabledValue,
			group + "/reconcile": kustomizev1.DisabledValue,
			group + "/ssa":       kustomizev1.IgnoreValue,
		},
	})
}

// Waits for what was applied, if the Kustomization asks for it, or for what it lists.
func wait(ctx context.Context, of *kustomizev1.Kustomization, resources *ssa.ResourceManager, applied *ssa.ChangeSet) error {
	var all object.ObjMetadataSet
	for _, check := range of.Spec.HealthChecks {
		kind := schema.FromAPIVersionAndKind(check.APIVersion, check.Kind).GroupKind()
		all = append(all, object.ObjMetadata{GroupKind: kind, Namespace: check.Namespace, Name: check.Name})
	}
	if of.Spec.Wait {
		all = applied.ToObjMetadataSet()
	}
	return resources.WaitForSetWithContext(ctx, all, ssa.WaitOptions{
		Interval: 200 * time.Millisecond,
		Timeout:  of.GetTimeout(),
		FailFast: true,
	})
}

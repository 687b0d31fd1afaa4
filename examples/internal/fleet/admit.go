package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	celgo "github.com/google/cel-go/cel"
	celtypes "github.com/google/cel-go/common/types"
	registration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// admit prints a pod as the policies in a file make it, or says why they refuse it.
// The expressions are compiled and evaluated by the API server's own packages, under
// its limits of cost; only the order of these steps is written here, after
// k8s.io/apiserver/pkg/admission/plugin/policy.
func admit(policies, podFile string, stdout io.Writer) error {
	s, err := newServer(policies)
	if err != nil {
		return err
	}
	objects, err := s.read(podFile)
	if err != nil {
		return err
	}
	if len(objects) != 1 {
		return fmt.Errorf("%s: %d objects, want one", podFile, len(objects))
	}
	pod, ok := objects[0].(*core.Pod)
	if !ok {
		return fmt.Errorf("%s is a %T, not a pod", podFile, objects[0])
	}
	admitted, err := s.create(pod)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(admitted)
}

// server is as much of an API server as admits a pod.
type server struct {
	scheme     *runtime.Scheme
	mutating   []*registration.MutatingAdmissionPolicy
	validating []*registration.ValidatingAdmissionPolicy
}

// newServer returns one with the policies in a file that are bound there.
func newServer(policies string) (*server, error) {
	s := &server{scheme: runtime.NewScheme()}
	if err := errors.Join(core.AddToScheme(s.scheme), registration.AddToScheme(s.scheme)); err != nil {
		return nil, err
	}
	objects, err := s.read(policies)
	if err != nil {
		return nil, err
	}
	mutates, denies := map[string]bool{}, map[string]bool{}
	for _, object := range objects {
		switch o := object.(type) {
		case *registration.MutatingAdmissionPolicyBinding:
			mutates[o.Spec.PolicyName] = o.Spec.MatchResources == nil
		case *registration.ValidatingAdmissionPolicyBinding:
			for _, action := range o.Spec.ValidationActions {
				denies[o.Spec.PolicyName] = o.Spec.MatchResources == nil && action == registration.Deny
			}
		}
	}
	for _, object := range objects {
		switch o := object.(type) {
		case *registration.MutatingAdmissionPolicy:
			if mutates[o.Name] {
				s.mutating = append(s.mutating, o)
			}
		case *registration.ValidatingAdmissionPolicy:
			if denies[o.Name] {
				s.validating = append(s.validating, o)
			}
		}
	}
	return s, nil
}

// read returns the objects in a file. An unknown field is an error.
func (s *server) read(file string) ([]runtime.Object, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	decoder := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, s.scheme, s.scheme,
		serializer.SerializerOptions{Yaml: true, Strict: true})
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var objects []runtime.Object
	for {
		document, err := documents.Read()
		if err == io.EOF {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		objects = append(objects, object)
	}
}

// create admits a new pod.
func (s *server) create(pod *core.Pod) (runtime.Object, error) {
	r := newRequest(pod)
	for _, policy := range s.mutating {
		if err := s.mutate(r, policy); err != nil {
			return nil, fmt.Errorf("policy %s with binding %s denied request: %w", policy.Name, policy.Name, err)
		}
	}
	for _, policy := range s.validating {
		if err := validate(r, policy); err != nil {
			return nil, fmt.Errorf("ValidatingAdmissionPolicy '%s' denied request: %w", policy.Name, err)
		}
	}
	return r.attributes.VersionedObject.Object(), nil
}

// request is that for a new pod.
type request struct {
	attributes *admission.VersionedAttributes
}

func newRequest(pod *core.Pod) *request {
	kind, resource := core.SchemeGroupVersion.WithKind("Pod"), core.SchemeGroupVersion.WithResource("pods")
	return &request{&admission.VersionedAttributes{
		Attributes: admission.NewAttributesRecord(pod, nil, kind, pod.Namespace, pod.Name, resource, "",
			admission.Create, &meta.CreateOptions{}, false, nil),
		VersionedKind:      kind,
		VersionedObject:    admission.NewLazyObject(pod),
		VersionedOldObject: admission.NewLazyObject(nil),
	}}
}

// matches reports whether a policy applies to this request.
func (r *request) matches(constraints *registration.MatchResources) (bool, error) {
	selector := labels.Everything()
	if constraints.ObjectSelector != nil {
		var err error
		if selector, err = meta.LabelSelectorAsSelector(constraints.ObjectSelector); err != nil {
			return false, err
		}
	}
	if !selector.Matches(labels.Set(r.attributes.VersionedObject.Object().(*core.Pod).Labels)) {
		return false, nil
	}
	for _, rule := range constraints.ResourceRules {
		if matcher := (rules.Matcher{Rule: rule.RuleWithOperations, Attr: r.attributes}); matcher.Matches() {
			return true, nil
		}
	}
	return false, nil
}

// options are what the expressions may use.
var options = cel.OptionalVariableDeclarations{HasAuthorizer: true}

// compiler returns one that knows a policy's variables.
func compiler(variables []registration.Variable) (*cel.CompositedCompiler, error) {
	c, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	for _, v := range variables {
		result := c.CompileAndStoreVariable(variable(v), options, environment.NewExpressions)
		if result.Error != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, result.Error)
		}
	}
	return c, nil
}

// mutate does to the request's pod what a policy says, if that is for it.
func (s *server) mutate(r *request, policy *registration.MutatingAdmissionPolicy) error {
	if matches, err := r.matches(policy.Spec.MatchConstraints); !matches {
		return err
	}
	c, err := compiler(policy.Spec.Variables)
	if err != nil {
		return err
	}
	ctx := c.CreateContext(context.Background())
	var conditions []cel.ExpressionAccessor
	for i := range policy.Spec.MatchConditions {
		conditions = append(conditions, (*matchconditions.MatchCondition)(&policy.Spec.MatchConditions[i]))
	}
	compiled := c.CompileCondition(conditions, options, environment.NewExpressions)
	if err := errors.Join(compiled.CompilationErrors()...); err != nil {
		return err
	}
	matcher := matchconditions.NewMatcher(compiled, policy.Spec.FailurePolicy, "policy", "mutate", policy.Name)
	if result := matcher.Match(ctx, r.attributes, nil, nil); !result.Matches {
		return result.Error
	}
	for _, mutation := range policy.Spec.Mutations {
		if mutation.PatchType != registration.PatchTypeJSONPatch {
			return fmt.Errorf("patchType %s is not done here", mutation.PatchType)
		}
		patchOptions := options
		patchOptions.HasPatchTypes = true
		condition := &patch.JSONPatchCondition{Expression: mutation.JSONPatch.Expression}
		patcher := patch.NewJSONPatcher(c.CompileMutatingEvaluator(condition, patchOptions, environment.NewExpressions))
		patched, err := patcher.Patch(ctx, patch.Request{
			MatchedResource:     r.attributes.GetResource(),
			VersionedAttributes: r.attributes,
			ObjectInterfaces:    admission.NewObjectInterfacesFromScheme(s.scheme),
			Namespace:           &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: r.attributes.GetNamespace()}},
		}, celconfig.RuntimeCELCostBudget)
		if err != nil {
			return err
		}
		r.attributes.UpdateObject(patched)
	}
	return nil
}

// validate refuses the request if a policy that is for it does.
func validate(r *request, policy *registration.ValidatingAdmissionPolicy) error {
	if matches, err := r.matches(policy.Spec.MatchConstraints); !matches {
		return err
	}
	c, err := compiler(policy.Spec.Variables)
	if err != nil {
		return err
	}
	ctx := c.CreateContext(context.Background())
	evaluate := func(expressions []cel.ExpressionAccessor) ([]cel.EvaluationResult, error) {
		compiled := c.CompileCondition(expressions, options, environment.NewExpressions)
		if err := errors.Join(compiled.CompilationErrors()...); err != nil {
			return nil, err
		}
		results, _, err := compiled.ForInput(ctx, r.attributes, cel.CreateAdmissionRequest(r.attributes.Attributes,
			meta.GroupVersionResource(r.attributes.GetResource()), meta.GroupVersionKind(r.attributes.VersionedKind)),
			cel.OptionalVariableBindings{}, nil, celconfig.RuntimeCELCostBudget)
		return results, err
	}
	var checks, texts []cel.ExpressionAccessor
	for _, validation := range policy.Spec.Validations {
		checks = append(checks, expression{validation.Expression, celgo.BoolType})
		texts = append(texts, expression{validation.MessageExpression, celgo.StringType})
	}
	results, err := evaluate(checks)
	if err != nil {
		return err
	}
	messages, err := evaluate(texts)
	if err != nil {
		return err
	}
	for i, result := range results {
		if result.Error != nil {
			return result.Error
		}
		if result.EvalResult != celtypes.True {
			if messages[i].Error != nil {
				return messages[i].Error
			}
			return fmt.Errorf("%v", messages[i].EvalResult.Value())
		}
	}
	return nil
}

// variable is one of a policy's.
type variable registration.Variable

func (v variable) GetName() string            { return v.Name }
func (v variable) GetExpression() string      { return v.Expression }
func (v variable) ReturnTypes() []*celgo.Type { return []*celgo.Type{celgo.AnyType, celgo.DynType} }

// expression is one of a policy's, and the type of its value.
type expression struct {
	text string
	kind *celgo.Type
}

func (e expression) GetExpression() string      { return e.text }
func (e expression) ReturnTypes() []*celgo.Type { return []*celgo.Type{e.kind} }

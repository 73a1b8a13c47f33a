//go:build e2e

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/waypost/waypost/control/service"
	"github.com/waypost/waypost/edge/node"
)

// An object is one of Kubernetes, with those of its fields that deploy uses, in
// the words of its API. Any other field is a mistake.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   metadata
	Spec       spec
	Data       map[string]string
	StringData map[string]string `yaml:"stringData"`
	Type       string
}

type metadata struct {
	Name, Namespace     string
	Labels, Annotations map[string]string
}

// spec has the fields of all kinds together.
type spec struct {
	ServiceName           string `yaml:"serviceName"`
	Replicas              int
	PodManagementPolicy   string       `yaml:"podManagementPolicy"`
	MinReadySeconds       int          `yaml:"minReadySeconds"`
	Selector              any          // a matchLabels, of a Service the labels themselves
	Template              podTemplate  // StatefulSet
	VolumeClaimTemplates  []claim      `yaml:"volumeClaimTemplates"`
	Type                  string       // Service
	ClusterIP             string       `yaml:"clusterIP"`
	ExternalTrafficPolicy string       `yaml:"externalTrafficPolicy"`
	PublishNotReady       bool         `yaml:"publishNotReadyAddresses"`
	Ports                 []portSpec   // Service
	MaxUnavailable        int          `yaml:"maxUnavailable"` // PodDisruptionBudget
	PodSelector           matchLabels  `yaml:"podSelector"`    // NetworkPolicy
	PolicyTypes           []string     `yaml:"policyTypes"`
	Ingress               []ingressing // NetworkPolicy
}

type matchLabels struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type podTemplate struct {
	Metadata metadata
	Spec     pod
}

type pod struct {
	AutomountServiceAccountToken  *bool           `yaml:"automountServiceAccountToken"`
	EnableServiceLinks            *bool           `yaml:"enableServiceLinks"`
	TerminationGracePeriodSeconds int             `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               securityContext `yaml:"securityContext"`
	TopologySpreadConstraints     []struct {
		MaxSkew           int         `yaml:"maxSkew"`
		TopologyKey       string      `yaml:"topologyKey"`
		WhenUnsatisfiable string      `yaml:"whenUnsatisfiable"`
		LabelSelector     matchLabels `yaml:"labelSelector"`
	} `yaml:"topologySpreadConstraints"`
	InitContainers []container `yaml:"initContainers"`
	Containers     []container
	Volumes        []volume
}

type securityContext struct {
	RunAsNonRoot           bool                  `yaml:"runAsNonRoot"`
	RunAsUser              int                   `yaml:"runAsUser"`
	RunAsGroup             int                   `yaml:"runAsGroup"`
	FSGroup                int                   `yaml:"fsGroup"`
	SeccompProfile         struct{ Type string } `yaml:"seccompProfile"`
	AllowEscalation        *bool                 `yaml:"allowPrivilegeEscalation"`
	ReadOnlyRootFilesystem bool                  `yaml:"readOnlyRootFilesystem"`
	Capabilities           struct{ Drop, Add []string }
}

type container struct {
	Name, Image     string
	Command, Args   []string
	Env             []variable
	Ports           []portSpec
	StartupProbe    *probing        `yaml:"startupProbe"`
	LivenessProbe   *probing        `yaml:"livenessProbe"`
	ReadinessProbe  *probing        `yaml:"readinessProbe"`
	SecurityContext securityContext `yaml:"securityContext"`
	Resources       struct{ Requests, Limits map[string]string }
	VolumeMounts    []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type variable struct {
	Name, Value string
	ValueFrom   struct {
		FieldRef struct {
			FieldPath string `yaml:"fieldPath"`
		} `yaml:"fieldRef"`
	} `yaml:"valueFrom"`
}

type portSpec struct {
	Name, Protocol string
	Port           any
	ContainerPort  int `yaml:"containerPort"`
	TargetPort     any `yaml:"targetPort"`
}

type probing struct {
	HTTPGet          struct{ Path, Port string } `yaml:"httpGet"`
	PeriodSeconds    int                         `yaml:"periodSeconds"`
	TimeoutSeconds   int                         `yaml:"timeoutSeconds"`
	FailureThreshold int                         `yaml:"failureThreshold"`
}

type volume struct {
	Name      string
	ConfigMap *struct{ Name string } `yaml:"configMap"`
	EmptyDir  *struct {
		Medium    string
		SizeLimit string `yaml:"sizeLimit"`
	} `yaml:"emptyDir"`
	Secret *struct {
		SecretName  string `yaml:"secretName"`
		DefaultMode string `yaml:"defaultMode"`
	}
}

type claim struct {
	Metadata metadata
	Spec     struct {
		AccessModes []string `yaml:"accessModes"`
		Resources   struct{ Requests map[string]string }
	}
}

type ingressing struct {
	From []struct {
		PodSelector       *matchLabels `yaml:"podSelector"`
		NamespaceSelector *matchLabels `yaml:"namespaceSelector"`
	}
	Ports []portSpec
}

// kubernetes returns all objects of deploy by KIND/NAME, and by which files.
func kubernetes(t *testing.T) map[string]*object {
	t.Helper()
	all := map[string]*object{}
	var list struct {
		APIVersion      string `yaml:"apiVersion"`
		Kind, Namespace string
		Resources       []string
		Images          []struct {
			Name    string
			NewName string `yaml:"newName"`
			NewTag  string `yaml:"newTag"`
		}
	}
	strictly(t, deployed(t, "kubernetes", "kustomization.yaml"), &list)
	for _, name := range append(list.Resources, "secrets.yaml") {
		for text := range strings.SplitSeq(deployed(t, "kubernetes", name), "\n---\n") {
			var o object
			strictly(t, text, &o)
			if o.APIVersion == "" || o.Kind == "" || o.Metadata.Name == "" || all[o.Kind+"/"+o.Metadata.Name] != nil {
				t.Errorf("%s: want apiVersion, kind and a name of its own, got %s %s/%s", name, o.APIVersion, o.Kind, o.Metadata.Name)
			}
			all[o.Kind+"/"+o.Metadata.Name] = &o
		}
	}
	return all
}

func strictly(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.UnmarshalWithOptions([]byte(text), into, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
}

// TestDeployKubernetes decodes the manifests strictly, and checks that what they
// say of one another is so, and that nothing has more rights than it needs.
func TestDeployKubernetes(t *testing.T) {
	t.Parallel()
	all := kubernetes(t)
	for name, app := range map[string]string{"edge": "waypost-edge", "waypost-control": "waypost-control"} {
		set := all["StatefulSet/"+name]
		if set == nil || all["Service/"+set.Spec.ServiceName] == nil {
			t.Fatalf("no StatefulSet %s, or not its Service", name)
		}
		if set.Spec.Template.Metadata.Labels["app.kubernetes.io/name"] != app {
			t.Errorf("%s has labels %v", name, set.Spec.Template.Metadata.Labels)
		}
		wantRestricted(t, &set.Spec.Template.Spec)
		wantMounts(t, all, set)
		wantPorts(t, all, app, set.Spec.Template.Spec.Containers[0].Ports)
		main := set.Spec.Template.Spec.Containers[0]
		for _, p := range []*probing{main.StartupProbe, main.LivenessProbe, main.ReadinessProbe} {
			if p == nil || p.HTTPGet.Path != "/healthz" && p.HTTPGet.Path != "/readyz" || !hasPort(main.Ports, p.HTTPGet.Port) {
				t.Errorf("%s has probe %+v", name, p)
			}
		}
	}
	edge := all["StatefulSet/edge"]
	if n := len(edge.Spec.Template.Spec.TopologySpreadConstraints); n != 2 {
		t.Errorf("edges are spread over %d things", n)
	}
	if b := all["PodDisruptionBudget/waypost-edge"]; b == nil || b.Spec.MaxUnavailable >= edge.Spec.Replicas {
		t.Errorf("a disruption may take all edges: %+v", b)
	}
	if policy := all["Service/waypost-edge"].Spec.ExternalTrafficPolicy; policy != "Local" {
		t.Errorf("clients come with the addresses of nodes: externalTrafficPolicy %s", policy)
	}
	if rest := all["NetworkPolicy/nobody"]; rest == nil || len(rest.Spec.PodSelector.MatchLabels) > 0 || len(rest.Spec.Ingress) > 0 {
		t.Errorf("not everything is closed by default: %+v", rest)
	}
}

// wantRestricted wants what the restricted profile of Kubernetes wants, and more.
func wantRestricted(t *testing.T, p *pod) {
	t.Helper()
	s := p.SecurityContext
	if !s.RunAsNonRoot || s.RunAsUser == 0 || s.SeccompProfile.Type != "RuntimeDefault" ||
		p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken || p.TerminationGracePeriodSeconds < 45 {
		t.Errorf("a pod has %+v", p)
	}
	for _, c := range slices.Concat(p.InitContainers, p.Containers) {
		s = c.SecurityContext
		if s.AllowEscalation == nil || *s.AllowEscalation || !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("%s has %+v", c.Name, s)
		}
		if c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" {
			t.Errorf("%s has no bounds: %+v", c.Name, c.Resources)
		}
	}
}

// wantMounts wants that each mount has a volume, and each volume is there.
func wantMounts(t *testing.T, all map[string]*object, set *object) {
	t.Helper()
	have := map[string]bool{}
	for _, c := range set.Spec.VolumeClaimTemplates {
		have[c.Metadata.Name] = true
	}
	for _, v := range set.Spec.Template.Spec.Volumes {
		have[v.Name] = true
		if v.ConfigMap != nil && all["ConfigMap/"+v.ConfigMap.Name] == nil || v.Secret != nil && all["Secret/"+v.Secret.SecretName] == nil {
			t.Errorf("nothing is what volume %s wants", v.Name)
		}
	}
	for _, c := range slices.Concat(set.Spec.Template.Spec.InitContainers, set.Spec.Template.Spec.Containers) {
		for _, m := range c.VolumeMounts {
			if !have[m.Name] || !strings.HasPrefix(m.MountPath, "/") {
				t.Errorf("%s mounts %s at %q", c.Name, m.Name, m.MountPath)
			}
		}
	}
}

// wantPorts wants that Services and NetworkPolicies of an app name ports that it
// has, and that its admin port is for the monitoring only.
func wantPorts(t *testing.T, all map[string]*object, app string, ports []portSpec) {
	t.Helper()
	monitored := false
	for key, o := range all {
		if o.Kind == "Service" && labelsOf(o.Spec.Selector)["app.kubernetes.io/name"] == app {
			for _, p := range o.Spec.Ports {
				if name, _ := p.TargetPort.(string); !hasPort(ports, name) || name == "admin" {
					t.Errorf("%s has port %+v", key, p)
				}
			}
		}
		if o.Kind != "NetworkPolicy" || o.Spec.PodSelector.MatchLabels["app.kubernetes.io/name"] != app {
			continue
		}
		for _, in := range o.Spec.Ingress {
			for _, p := range in.Ports {
				name, _ := p.Port.(string)
				if !hasPort(ports, name) {
					t.Errorf("%s has port %+v", key, p)
				}
				if name == "admin" {
					monitored = true
					if len(in.From) != 1 || in.From[0].PodSelector != nil || in.From[0].NamespaceSelector == nil ||
						!maps.Equal(in.From[0].NamespaceSelector.MatchLabels, map[string]string{"kubernetes.io/metadata.name": "monitoring"}) {
						t.Errorf("%s: the admin port is not for the monitoring only: %+v", key, in.From)
					}
				}
			}
			if len(in.Ports) == 0 {
				t.Errorf("%s opens all ports", key)
			}
		}
	}
	if !monitored {
		t.Errorf("%s: the monitoring may not ask the admin port", app)
	}
}

func hasPort(ports []portSpec, name string) bool {
	return slices.ContainsFunc(ports, func(p portSpec) bool { return p.Name == name && p.ContainerPort > 1024 })
}

// labelsOf returns the labels of a Service's selector.
func labelsOf(selector any) map[string]string {
	labels := map[string]string{}
	if all, ok := selector.(map[string]any); ok {
		for name, value := range all {
			labels[name], _ = value.(string)
		}
	}
	return labels
}

// TestDeployKubernetesConfigurations reads the configurations as the pods would,
// with the secrets of the example, and runs the sed of the init container.
func TestDeployKubernetesConfigurations(t *testing.T) {
	t.Parallel()
	all, dir := kubernetes(t), t.TempDir()
	for name, text := range all["Secret/waypost-edge"].StringData {
		file(t, text+"\n", dir, "secrets", name)
	}
	set := all["StatefulSet/edge"]
	for i := range set.Spec.Replicas {
		if name := "edge-" + string(rune('0'+i)) + ".token"; all["Secret/waypost-edge"].StringData[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	template := all["ConfigMap/waypost-edge"].Data["waypost.yaml"]
	file(t, template, dir, "template", "waypost.yaml")
	script := set.Spec.Template.Spec.InitContainers[0].Command
	here := strings.NewReplacer("/template/", dir+"/template/", "/etc/waypost/", dir+"/")
	const key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" // a public key, of RFC 8032
	for address, listen := range map[string]string{"10.1.2.3": "10.1.2.3:7946", "fd00::1": "[fd00::1]:7946"} {
		cmd := command(t, script[0], script[1], here.Replace(script[2]))
		cmd.Env = append(cmd.Env, "POD=edge-1", "ADDRESS="+address)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		made, err := os.ReadFile(filepath.Join(dir, "waypost.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		edge, err := node.ReadConfig(file(t, strings.NewReplacer("/run/waypost-secrets", dir+"/secrets", "SET-ME", key).Replace(string(made)), dir, "edge.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if edge.Name != "edge-1" || edge.Source.Control.TokenFile != dir+"/secrets/edge-1.token" || edge.Cluster.Listen.String() != listen {
			t.Errorf("edge-1 at %s has %s", address, made)
		}
		if grace := set.Spec.Template.Spec.TerminationGracePeriodSeconds; edge.Stop.Within.Seconds() > float64(grace) {
			t.Errorf("an edge takes up to %s to stop, and gets %ds", edge.Stop.Within, grace)
		}
	}
	if _, err := service.ReadConfig(file(t, all["ConfigMap/waypost-control"].Data["waypost.yaml"], dir, "control.yaml")); err != nil {
		t.Error(err)
	}
}

package cfn

import (
	"fmt"
	"testing"
)

func TestResolve_Intrinsics_GiveCloudFormationValues(t *testing.T) {
	t.Parallel()
	doc := `{"Parameters":{"P":{"Type":"String","Default":"param"}},"Mappings":{"M":{"a":{"b":"mapped"}}},
	"Conditions":{"Yes":{"Fn::Equals":[{"Ref":"P"},"param"]},"No":{"Fn::And":[{"Condition":"Yes"},{"Fn::Not":[{"Condition":"Yes"}]}]}},
	"Resources":{"R":{"Type":"X::Y"}},"Outputs":{%s}}`
	cases := map[string]string{
		`{"Ref":"P"}`: "param", `{"Ref":"R"}`: "R-ref", `{"Fn::GetAtt":["R","Arn"]}`: "R-Arn", `{"Fn::GetAtt":"R.Arn"}`: "R-Arn",
		`{"Fn::Sub":"${AWS::Region}/${R}/${R.Arn}/${!literal}/${P}"}`: "eu-west-1/R-ref/R-Arn/${literal}/param",
		`{"Fn::Sub":["${V}",{"V":{"Ref":"AWS::AccountId"}}]}`:         "1",
		`{"Fn::Join":["-",["a",{"Ref":"AWS::StackName"}]]}`:           "a-s",
		`{"Fn::Select":["1",{"Fn::Split":[",","x,y"]}]}`:              "y",
		`{"Fn::If":["No",{"Ref":"Missing"},"else"]}`:                  "else",
		`{"Fn::FindInMap":["M","a","b"]}`:                             "mapped",
		`{"Fn::ImportValue":{"Fn::Sub":"${P}-export"}}`:               "exported",
	}
	outputs, i := `"E":{"Value":"exported","Export":{"Name":{"Fn::Join":["-",[{"Ref":"P"},"export"]]}}}`, 0
	want := map[string]string{}
	for src, value := range cases {
		outputs += fmt.Sprintf(`,"O%d":{"Value":%s}`, i, src)
		want[fmt.Sprintf("s.O%d", i)] = value
		i++
	}
	attrs := func(r *Resource, attr string) (string, error) {
		if attr == "" {
			attr = "ref"
		}
		return r.LogicalID + "-" + attr, nil
	}
	s, err := Load(map[string][]byte{"s": fmt.Appendf(nil, doc, outputs)}, Environment{Region: "eu-west-1", Account: "1"}, attrs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Outputs()
	if err != nil {
		t.Fatal(err)
	}
	for k, w := range want {
		if got[k] != w {
			t.Errorf("%s is %q, want %q", k, got[k], w)
		}
	}
}

func TestOutputs_UnknownReference_IsAnError(t *testing.T) {
	t.Parallel()
	for _, v := range []string{`{"Ref":"Nope"}`, `{"Fn::ImportValue":"nope"}`, `{"Fn::Transform":{}}`} {
		s, err := Load(map[string][]byte{"s": []byte(`{"Outputs":{"O":{"Value":` + v + `}}}`)}, Environment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Outputs(); err == nil {
			t.Errorf("%s resolved to %v", v, got)
		}
	}
}
